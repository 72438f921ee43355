#pragma once

/// @namespace besom
/// All of Besom, a garbage-collected heap for language runtimes, for programs in C++:
/// besom/besom.hpp is the one header to include, and Heap::create() the first call. For programs in
/// C it is besom/besom.h and besom_heap_create(). docs/embedding.md leads from nothing to a
/// collected interpreter.

// Nothing else is read then: one line says more than a page of what follows from it.
#if __cplusplus < 202002L
#error "Besom takes C++20: compile with -std=c++20, or include besom/besom.h, which takes any C++"
#elif __SIZEOF_POINTER__ != 8
#error "Besom takes a 64-bit machine"
#else

#include "besom/contract.hpp"
#include "besom/exception_carrier.hpp"
#include "besom/guardian.hpp"
#include "besom/handle.hpp"
#include "besom/heap.hpp"
#include "besom/inspect.hpp"
#include "besom/no_collect_scope.hpp"
#include "besom/options.hpp"
#include "besom/ref.hpp"
#include "besom/type.hpp"
#include "besom/version.h"
#include "besom/weak.hpp"
#include "besom/weak_tables.hpp"

#endif
