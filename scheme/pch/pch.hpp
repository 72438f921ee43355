/// Precompiled for every file: what takes longest to read.

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "interp.hpp"
