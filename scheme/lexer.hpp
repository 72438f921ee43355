#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "objects.hpp"

namespace scheme {

class Interp;
struct Place;

/// What a text is made of.
enum class Token {
  datum,  ///< A whole one: a number, a string, a symbol, ...
  open,
  open_vector,
  open_bytes,
  close,
  prefix,  ///< ' and its like.
  box,     ///< #& before a datum.
  dot,
  label,      ///< #n=
  reference,  ///< #n#
  comment,    ///< #; of a datum.
  end
};

/// Tokens from a textual input port, which is reachable by the collector. Raises read errors.
class Lexer {
 public:
  Lexer(Interp& in, Value port) : in_(in), port_(port) {}

  [[nodiscard]] Token next_token();
  /// Of the token: a datum's value, the symbol that a prefix stands for, the number of a label.
  [[nodiscard]] Value datum() const noexcept { return datum_; }
  [[nodiscard]] std::uint64_t label() const noexcept { return label_; }
  [[nodiscard]] std::uint32_t line() const noexcept { return line_; }
  [[nodiscard]] std::uint32_t column() const noexcept { return column_; }
  /// Where errors are from now on: where a datum of several tokens began.
  void set_place(std::uint32_t line, std::uint32_t column) noexcept {
    line_ = line;
    column_ = column;
  }

  [[noreturn]] void fail(std::string_view message);
  /// The same where the text ends too early.
  [[noreturn]] void fail_incomplete(std::string_view message);
  [[nodiscard]] bool is_incomplete() const noexcept { return is_incomplete_; }
  /// Where the token begins.
  [[nodiscard]] Place place() const;
  /// Before a datum: what went wrong with the last is forgotten, the place is the port's.
  void restart();

 private:
  Port* port();
  char32_t peek();
  char32_t next();
  void skip_block_comment();
  bool skip_space();
  void skip_line();
  Token hash_token();
  bool number_token(const std::string& word);
  Token word_token(std::u32string word, bool has_bars);
  std::u32string rest_of_word(bool& has_bars);
  void quoted_part(std::u32string& text, char32_t quote);
  char32_t hex_escape();
  char32_t rest_of_line_end();
  Value char_token();

  Interp& in_;
  Value port_;
  bool is_incomplete_ = false;
  std::uint32_t line_ = 0, column_ = 0;
  Value datum_;
  std::uint64_t label_ = 0;
};

}  // namespace scheme
