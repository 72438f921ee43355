#include "lexer.hpp"

#include "chars.hpp"
#include "interp.hpp"
#include "numbers.hpp"
#include "ports.hpp"
#include "text.hpp"

namespace scheme {
namespace {

bool is_delimiter(char32_t c) {
  return c == kNoChar || is_whitespace(c) || c == U'(' || c == U')' || c == U'"' || c == U';' ||
         c == U'\'' || c == U'`' || c == U',' || c == U'[' || c == U']';
}

}  // namespace

Place Lexer::place() const { return {in_.at<Port>(port_)->name.get(), line_, column_}; }

void Lexer::restart() {
  is_incomplete_ = false;
  set_place(port()->line, port()->column);
}

void Lexer::fail(std::string_view message) { in_.fail_at(place(), message, {}, kReadCondition); }
void Lexer::fail_incomplete(std::string_view message) {
  is_incomplete_ = true;
  in_.fail_at({port()->name.get(), port()->line, port()->column}, message, {}, kReadCondition);
}

Port* Lexer::port() { return in_.at<Port>(port_); }
char32_t Lexer::peek() { return peek_char(in_, port()); }
char32_t Lexer::next() { return read_char(in_, port()); }

void Lexer::skip_block_comment() {
  for (int depth = 1; depth > 0;) {
    const char32_t c = next();
    if (c == kNoChar) {
      fail_incomplete("unexpected end of input in a block comment");
    }
    if (c == U'|' && peek() == U'#') {
      next();
      --depth;
    } else if (c == U'#' && peek() == U'|') {
      next();
      ++depth;
    }
  }
}

void Lexer::skip_line() {
  while (peek() != kNoChar && peek() != U'\n') next();
}

/// Space and comments; false at the end of the input.
bool Lexer::skip_space() {
  for (;;) {
    const char32_t c = peek();
    if (c == kNoChar) return false;
    if (c == U';') {
      skip_line();
    } else if (is_whitespace(c) || c == kByteOrderMark) {
      next();
    } else {
      return true;
    }
  }
}

Token Lexer::next_token() {
  if (!skip_space()) return Token::end;
  line_ = port()->line;
  column_ = port()->column;
  const char32_t c = next();
  const auto prefix = [&](const char* name) {
    datum_ = in_.symbol(name);
    return Token::prefix;
  };
  switch (c) {
    case U'(':
    case U'[':
      return Token::open;
    case U')':
    case U']':
      return Token::close;
    case U'\'':
      return prefix("quote");
    case U'`':
      return prefix("quasiquote");
    case U',':
      if (peek() != U'@') return prefix("unquote");
      next();
      return prefix("unquote-splicing");
    case U'"': {
      std::u32string text;
      quoted_part(text, U'"');
      datum_ = in_.string(text);
      return Token::datum;
    }
    case U'#':
      return hash_token();
    default: {
      bool has_bars = c == U'|';
      std::u32string word;
      if (has_bars) {
        quoted_part(word, U'|');
      } else {
        word += (port()->flags & kFoldCasePort) != 0 ? foldcase(in_, c) : c;
      }
      word += rest_of_word(has_bars);
      return word_token(std::move(word), has_bars);
    }
  }
}

std::u32string Lexer::rest_of_word(bool& has_bars) {
  std::u32string word;
  const bool folds = (port()->flags & kFoldCasePort) != 0;
  while (!is_delimiter(peek())) {
    const char32_t c = next();
    if (c == U'|') {
      has_bars = true;
      quoted_part(word, U'|');
    } else {
      word += folds ? foldcase(in_, c) : c;
    }
  }
  return word;
}

/// False when the word is none. A complex number is none here either, and so reads as a symbol: a
/// program that mentions one fails where it is evaluated.
bool Lexer::number_token(const std::string& word) {
  const ParsedNumber parsed = parse_number(word);
  if (parsed.problem == ParsedNumber::kTooLarge) fail("integer literal needs more than 64 bits");
  if (parsed.number) datum_ = value_of(in_, *parsed.number);
  return parsed.number.has_value();
}

Token Lexer::word_token(std::u32string word, bool has_bars) {
  if (!has_bars) {
    if (word == U".") return Token::dot;
    if (number_token(to_utf8(word))) return Token::datum;
  }
  datum_ = in_.intern(word);
  return Token::datum;
}

Token Lexer::hash_token() {
  const char32_t c = peek();
  switch (c) {
    case U'(':
      next();
      return Token::open_vector;
    case U'|':
      next();
      skip_block_comment();
      return next_token();
    case U';':
      next();
      return Token::comment;
    case U'\\':
      next();
      datum_ = char_token();
      return Token::datum;
    case U'&':
      next();
      return Token::box;
    default:
      break;
  }
  if (c >= U'0' && c <= U'9') {
    label_ = 0;
    while (peek() >= U'0' && peek() <= U'9') {
      label_ = label_ * 10 + (next() - U'0');
      if (label_ > 0xffffffff) fail("datum label is too large");
    }
    if (peek() != U'=' && peek() != U'#') fail("malformed datum label");
    return next() == U'=' ? Token::label : Token::reference;
  }
  bool has_bars = false;
  std::u32string word = U"#" + rest_of_word(has_bars);
  // As in R5RS, case does not matter here.
  const std::u32string folded = foldcase(in_, word);
  if (folded == U"#u8" && peek() == U'(') {
    next();
    return Token::open_bytes;
  }
  // The line that makes a program a command.
  const bool is_first = line_ == 1 && column_ == 1;
  if (is_first && (word == U"#!" || word.starts_with(U"#!/"))) {
    skip_line();
    return next_token();
  }
  if (word == U"#!fold-case") {
    port()->flags |= kFoldCasePort;
    return next_token();
  }
  if (word == U"#!no-fold-case") {
    port()->flags &= ~std::uint32_t{kFoldCasePort};
    return next_token();
  }
  const std::pair<std::u32string_view, Value> constants[] = {
      {U"#t", kTrue},      {U"#true", kTrue}, {U"#f", kFalse},
      {U"#false", kFalse}, {U"#!eof", kEof},  {U"#!default", kDefault}};
  for (const auto& [name, value] : constants) {
    if (folded == name) {
      datum_ = value;
      return Token::datum;
    }
  }
  if (!number_token(to_utf8(word))) fail("unknown syntax: " + to_utf8(word));
  return Token::datum;
}

Value Lexer::char_token() {
  const char32_t first = next();
  if (first == kNoChar) {
    fail_incomplete("unexpected end of input in a character");
  }
  std::u32string word(1, first);
  // Any character stands for itself, a delimiter too.
  while (!is_delimiter(peek())) word += next();
  if (word.size() == 1) return character(first);
  const std::string name = to_utf8(word);
  if (word[0] == U'x' || word[0] == U'U' || word[0] == U'u') {
    const ParsedNumber parsed = parse_number(name.substr(1), 16);
    if (parsed.number && parsed.number->is_exact && parsed.number->integer >= 0) {
      if (!is_scalar_value(static_cast<std::uint64_t>(parsed.number->integer))) {
        fail("no Unicode scalar value: #\\" + name);
      }
      return character(static_cast<char32_t>(parsed.number->integer));
    }
  }
  std::string folded = name;
  if ((port()->flags & kFoldCasePort) != 0) {
    for (char& c : folded) c = static_cast<char>(downcase(in_, static_cast<unsigned char>(c)));
  }
  const std::int32_t named = char_named(folded);
  if (named < 0) fail("unknown character name: " + name);
  return character(static_cast<char32_t>(named));
}

char32_t Lexer::hex_escape() {
  std::uint64_t code = 0;
  int digits = 0;
  for (char32_t c = next(); c != U';'; c = next(), ++digits) {
    const bool is_digit = c >= U'0' && c <= U'9';
    const char32_t folded = c | 32;
    if (!is_digit && (folded < U'a' || folded > U'f')) fail("malformed \\x escape");
    code = code * 16 + (is_digit ? c - U'0' : folded - U'a' + 10);
    if (code > 0x10ffff) fail("\\x escape is no Unicode scalar value");
  }
  if (digits == 0 || !is_scalar_value(code)) fail("\\x escape is no Unicode scalar value");
  return static_cast<char32_t>(code);
}

/// A line in a string ends with a newline, whichever way the text marks it. After a return.
char32_t Lexer::rest_of_line_end() {
  if (peek() == U'\n') next();
  return U'\n';
}

/// Up to the closing quote, which is `"` or `|`.
void Lexer::quoted_part(std::u32string& text, char32_t quote) {
  for (;;) {
    char32_t c = next();
    if (c == kNoChar) {
      fail_incomplete(quote == U'"' ? "unexpected end of input in a string"
                                    : "unexpected end of input in a symbol");
    }
    if (c == quote) return;
    if (c == U'\r') c = rest_of_line_end();
    if (c != U'\\') {
      text += c;
      continue;
    }
    c = next();
    switch (c) {
      case U'n':
        text += U'\n';
        break;
      case U't':
        text += U'\t';
        break;
      case U'r':
        text += U'\r';
        break;
      case U'a':
        text += U'\a';
        break;
      case U'b':
        text += U'\b';
        break;
      case U'x':
      case U'X':
        text += hex_escape();
        break;
      case U'\\':
      case U'"':
      case U'|':
        text += c;
        break;
      default: {
        // A line may be broken: backslash, space, newline, space.
        while (c == U' ' || c == U'\t') c = next();
        if (c == U'\r') c = rest_of_line_end();
        if (c == kNoChar) fail_incomplete("unexpected end of input in a string");
        if (c != U'\n') fail("unknown escape in a string");
        while (peek() == U' ' || peek() == U'\t') next();
      }
    }
  }
}

}  // namespace scheme
