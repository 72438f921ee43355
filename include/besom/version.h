#pragma once

// clang-format off
#define BESOM_VERSION "0.1.0"
#define BESOM_VERSION_MAJOR 0
#define BESOM_VERSION_MINOR 1
#define BESOM_VERSION_PATCH 0
