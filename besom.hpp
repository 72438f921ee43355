#pragma once

/// Besom, a garbage-collected heap for language runtimes: the one header to include.

#include "freelist/version.hpp"
#include "gc/allocation_contract.hpp"
#include "gc/exception_carrier.hpp"
#include "gc/guardian.hpp"
#include "gc/handle.hpp"
#include "gc/heap.hpp"
#include "gc/no_collect_scope.hpp"
#include "gc/weak.hpp"
#include "gc/weak_tables.hpp"
#include "heap/options.hpp"
#include "heap/ref.hpp"
#include "heap/type.hpp"
