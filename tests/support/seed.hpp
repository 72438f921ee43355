#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/support/random.hpp"

namespace besom::test {

/// The seed of this test run: $BESOM_TEST_SEED (decimal, or hex with 0x), else a fresh one. The
/// main program prints it at the start and again when a test has failed.
[[nodiscard]] std::uint64_t test_seed();

/// A stream of random numbers of its own for each test, so that leaving a test out does not change
/// what the others do.
[[nodiscard]] Random random_for(std::string_view test_name);

/// A number from `text`, decimal or hex with 0x; nothing when it is none.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace besom::test
