#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "interp.hpp"

namespace scheme {

/// Where the pairs of a source text were: a list's first pair by its parenthesis, the others by the
/// element they hold.
class SourceMap {
 public:
  void add(Value pair, std::uint32_t line, std::uint32_t column) {
    positions_[pair.bits()] = {line, column};
  }
  /// A pair made by a macro is where the macro was used.
  [[nodiscard]] bool find(Value pair, Place& place) const {
    const auto position = positions_.find(pair.bits());
    if (position == positions_.end()) return false;
    place.line = position->second.first;
    place.column = position->second.second;
    return true;
  }
  void clear() { positions_.clear(); }

 private:
  std::unordered_map<std::uint32_t, std::pair<std::uint32_t, std::uint32_t>> positions_;
};

/// Data from a textual input port. Nesting takes no native stack.
class Reader {
 public:
  /// `port` is reachable by the collector. Positions go to `map` if there is one.
  Reader(Interp& in, Value port, SourceMap* map = nullptr) : in_(in), port_(port), map_(map) {}

  /// The next datum; kEof at the end. Raises read errors. The caller has a Pins open.
  [[nodiscard]] Value read();
  /// Whether the last error was that the text ended inside a datum.
  [[nodiscard]] bool is_incomplete() const noexcept { return is_incomplete_; }

 private:
  enum class Token {
    datum,
    open,
    open_vector,
    open_bytes,
    close,
    prefix,
    dot,
    label,
    reference,
    comment,
    end
  };
  /// A datum whose end was not yet met.
  struct Open {
    Token kind;
    Value head, last;  ///< The list so far, or the prefix's symbol in `head`.
    std::uint32_t line, column;
    enum { items, after_dot, after_tail } state;
    std::uint64_t label;
  };

  [[noreturn]] void fail(std::string_view message);
  Port* port() { return in_.at<Port>(port_); }
  char32_t peek();
  char32_t next();
  void skip_block_comment();
  bool skip_space();
  Token next_token();
  Token hash_token();
  bool number_token(const std::string& word);
  Token word_token(std::u32string word, bool has_bars);
  std::u32string rest_of_word(bool& has_bars);
  void quoted_part(std::u32string& text, char32_t quote);
  char32_t hex_escape();
  char32_t rest_of_line_end();
  Value char_token();
  bool deliver(Value& value);
  void append(Open& list, Value value);
  Value close(const Open& open);
  Value resolve_labels(Value root);

  Interp& in_;
  Value port_;
  SourceMap* map_;
  bool is_incomplete_ = false;
  std::uint32_t line_ = 0, column_ = 0;  ///< Of the token.
  Value datum_;                          ///< Of a token that is one.
  std::uint64_t label_ = 0;
  std::vector<Open> open_;
  std::unordered_map<std::uint64_t, Value> labels_;        ///< Placeholders, then the data.
  std::unordered_map<std::uint32_t, Value> placeholders_;  ///< Placeholder to datum.
};

}  // namespace scheme
