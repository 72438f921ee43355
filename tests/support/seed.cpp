#include "tests/support/seed.hpp"

#include <charconv>
#include <cstdlib>
#include <random>

namespace besom::test {
namespace {

std::uint64_t choose_seed() {
  if (const char* text = std::getenv("BESOM_TEST_SEED")) {
    if (const auto seed = parse_number(text)) return *seed;
  }
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

std::uint64_t test_seed() {
  static const std::uint64_t seed = choose_seed();
  return seed;
}

Random random_for(std::string_view test_name) {
  std::uint64_t hash = test_seed();
  for (const char c : test_name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return Random(hash);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  if (is_hex) text.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, is_hex ? 16 : 10);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace besom::test
