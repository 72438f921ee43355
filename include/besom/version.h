#pragma once

// clang-format off
#define BESOM_VERSION "0.2.0"
#define BESOM_VERSION_MAJOR 0
#define BESOM_VERSION_MINOR 2
#define BESOM_VERSION_PATCH 0
