/// Case mappings of strings: Unicode's full ones, by which one character may become several.

#include <algorithm>
#include <iterator>

#include "chars.hpp"
#include "interp.hpp"

namespace scheme {
namespace {

struct Expansion {
  char32_t c;
  const char32_t* upper;
};
/// Characters that have no capital of their own (Unicode's SpecialCasing.txt, unconditional
/// mappings), in order; the Greek letters U+1F80 to U+1FAF follow a rule.
constexpr Expansion kExpansions[] = {{0xdf, U"SS"},
                                     {0x149, U"\u02bcN"},
                                     {0x1f0, U"J\u030c"},
                                     {0x390, U"\u0399\u0308\u0301"},
                                     {0x3b0, U"\u03a5\u0308\u0301"},
                                     {0x587, U"\u0535\u0552"},
                                     {0x1e96, U"H\u0331"},
                                     {0x1e97, U"T\u0308"},
                                     {0x1e98, U"W\u030a"},
                                     {0x1e99, U"Y\u030a"},
                                     {0x1e9a, U"A\u02be"},
                                     {0x1f50, U"\u03a5\u0313"},
                                     {0x1f52, U"\u03a5\u0313\u0300"},
                                     {0x1f54, U"\u03a5\u0313\u0301"},
                                     {0x1f56, U"\u03a5\u0313\u0342"},
                                     {0x1fb2, U"\u1fba\u0399"},
                                     {0x1fb3, U"\u0391\u0399"},
                                     {0x1fb4, U"\u0386\u0399"},
                                     {0x1fb6, U"\u0391\u0342"},
                                     {0x1fb7, U"\u0391\u0342\u0399"},
                                     {0x1fbc, U"\u0391\u0399"},
                                     {0x1fc2, U"\u1fca\u0399"},
                                     {0x1fc3, U"\u0397\u0399"},
                                     {0x1fc4, U"\u0389\u0399"},
                                     {0x1fc6, U"\u0397\u0342"},
                                     {0x1fc7, U"\u0397\u0342\u0399"},
                                     {0x1fcc, U"\u0397\u0399"},
                                     {0x1fd2, U"\u0399\u0308\u0300"},
                                     {0x1fd3, U"\u0399\u0308\u0301"},
                                     {0x1fd6, U"\u0399\u0342"},
                                     {0x1fd7, U"\u0399\u0308\u0342"},
                                     {0x1fe2, U"\u03a5\u0308\u0300"},
                                     {0x1fe3, U"\u03a5\u0308\u0301"},
                                     {0x1fe4, U"\u03a1\u0313"},
                                     {0x1fe6, U"\u03a5\u0342"},
                                     {0x1fe7, U"\u03a5\u0308\u0342"},
                                     {0x1ff2, U"\u1ffa\u0399"},
                                     {0x1ff3, U"\u03a9\u0399"},
                                     {0x1ff4, U"\u038f\u0399"},
                                     {0x1ff6, U"\u03a9\u0342"},
                                     {0x1ff7, U"\u03a9\u0342\u0399"},
                                     {0x1ffc, U"\u03a9\u0399"},
                                     {0xfb00, U"FF"},
                                     {0xfb01, U"FI"},
                                     {0xfb02, U"FL"},
                                     {0xfb03, U"FFI"},
                                     {0xfb04, U"FFL"},
                                     {0xfb05, U"ST"},
                                     {0xfb06, U"ST"},
                                     {0xfb13, U"\u0544\u0546"},
                                     {0xfb14, U"\u0544\u0535"},
                                     {0xfb15, U"\u0544\u053b"},
                                     {0xfb16, U"\u054e\u0546"},
                                     {0xfb17, U"\u0544\u053d"}};

constexpr char32_t kCapitalSharpS = 0x1e9e, kDottedCapitalI = 0x130;
constexpr char32_t kCapitalSigma = 0x3a3, kFinalSigma = 0x3c2;

/// Appends what the character is in capitals.
void append_upper(const Interp& in, char32_t c, std::u32string& text) {
  if (c >= 0x1f80 && c <= 0x1faf) {
    // With an iota below: that follows as a letter.
    constexpr char32_t kBases[] = {0x1f08, 0x1f28, 0x1f68};
    text += kBases[(c - 0x1f80) / 16] + (c & 7);
    text += U'\u0399';
    return;
  }
  const auto* found = std::lower_bound(
      std::begin(kExpansions), std::end(kExpansions), c,
      [](const Expansion& expansion, char32_t wanted) { return expansion.c < wanted; });
  if (found != std::end(kExpansions) && found->c == c) {
    text += found->upper;
  } else {
    text += upcase(in, c);
  }
}

}  // namespace

std::u32string upcase(const Interp& in, std::u32string_view text) {
  std::u32string result;
  for (const char32_t c : text) append_upper(in, c, result);
  return result;
}

std::u32string downcase(const Interp& in, std::u32string_view text) {
  std::u32string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == kDottedCapitalI) {
      result += U"i\u0307";
    } else if (text[i] == kCapitalSigma && i > 0 && is_alphabetic(in, text[i - 1]) &&
               (i + 1 == text.size() || !is_alphabetic(in, text[i + 1]))) {
      result += kFinalSigma;
    } else {
      result += downcase(in, text[i]);
    }
  }
  return result;
}

std::u32string foldcase(const Interp& in, std::u32string_view text) {
  std::u32string result;
  for (const char32_t c : text) {
    if (c == kDottedCapitalI) {
      result += U"i\u0307";
    } else if (c == kCapitalSharpS) {
      result += U"ss";
    } else {
      const std::size_t from = result.size();
      append_upper(in, c, result);
      for (std::size_t i = from; i < result.size(); ++i) result[i] = downcase(in, result[i]);
    }
  }
  return result;
}

}  // namespace scheme
