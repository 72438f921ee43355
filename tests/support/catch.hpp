#pragma once

/// The one place that knows which Catch2 is installed: version 3 splits its header, version 2 is
/// one file. Tests include this and use what both have.

/// An exception inside a check fails its test case all the same, but is reported without the
/// check's text: a tenth to a seventh less to compile.
#define CATCH_CONFIG_FAST_COMPILE

#if __has_include(<catch2/catch_test_macros.hpp>)
#define BESOM_CATCH_VERSION 3
#include <catch2/catch_message.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#else
#define BESOM_CATCH_VERSION 2
#include <catch2/catch.hpp>
#endif
