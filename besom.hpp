#pragma once

/// Besom, a garbage-collected heap for language runtimes: the one header to include.

// Nothing else is read then: one line says more than a page of what follows from it.
#if __cplusplus < 202002L
#error "Besom takes C++20: compile with -std=c++20, or include besom.h, which takes any C++"
#elif __SIZEOF_POINTER__ != 8
#error "Besom takes a 64-bit machine"
#else

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

#endif
