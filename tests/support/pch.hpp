/// Precompiled for every test program: what takes longest to read.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
