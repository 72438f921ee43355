#pragma once

/// For programs that write `#include <besom.hpp>`: pkg-config gives them this folder. It holds two
/// names and no more, so that no header of theirs is taken for one of ours. They also count on what
/// besom.hpp once brought of the standard library.

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "besom/besom.hpp"
