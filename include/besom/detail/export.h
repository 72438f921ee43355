#pragma once

/// Marks what a shared library exports; everything else is hidden. On a class it covers the
/// members. Needed on whatever a user's code calls, be it through an inline function.
#define BESOM_API __attribute__((visibility("default")))
