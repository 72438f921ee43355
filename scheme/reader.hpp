#pragma once

#include <unordered_map>
#include <vector>

#include "interp.hpp"
#include "lexer.hpp"

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
  Reader(Interp& in, Value port, SourceMap* map = nullptr) : in_(in), map_(map), lexer_(in, port) {}

  /// The next datum; kEof at the end. Raises read errors. The caller has a Pins open.
  [[nodiscard]] Value read();
  /// Where the last token was.
  [[nodiscard]] std::uint32_t line() const noexcept { return lexer_.line(); }
  [[nodiscard]] std::uint32_t column() const noexcept { return lexer_.column(); }
  /// Whether the last error was that the text ended inside a datum.
  [[nodiscard]] bool is_incomplete() const noexcept { return lexer_.is_incomplete(); }

 private:
  /// A datum whose end was not yet met.
  struct Open {
    Token kind;
    Value head, last;  ///< The list so far, or the prefix's symbol in `head`.
    std::uint32_t line, column;
    enum { items, after_dot, after_tail } state;
    std::uint64_t label;
  };

  bool deliver(Value& value);
  void append(Open& list, Value value);
  Value close(const Open& open);
  Value resolve_labels(Value root);

  Interp& in_;
  SourceMap* map_;
  Lexer lexer_;
  std::vector<Open> open_;
  std::unordered_map<std::uint64_t, Value> labels_;        ///< Placeholders, then the data.
  std::unordered_map<std::uint32_t, Value> placeholders_;  ///< Placeholder to datum.
};

}  // namespace scheme
