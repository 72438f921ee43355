/// Precompiled for every file: what takes longest to read.

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "interp.hpp"
