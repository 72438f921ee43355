#pragma once

/// For programs that write `#include <besom.h>`: see besom.hpp beside this.

#include "besom/besom.h"
