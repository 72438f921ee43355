/// Precompiled for every test program of the heap: what takes longest to read.

#include "tests/gc/kit.hpp"
#include "tests/support/pch.hpp"
