#pragma once
// 3. Text to data and back.
#include <charconv>
#include <optional>

#include "memory.hpp"

namespace lisp {
/// A place is a line and, in the lowest ten bits, a column. Greater columns are cut.
inline std::string place_text(const Memory& memory, std::uint32_t place) {
  return memory.file + ':' + std::to_string(place >> 10) + ':' + std::to_string(place & 1023) +
         ": ";
}

/// As the reader would read it, or else with strings bare.
inline std::string print(const Memory& memory, Value value, bool readable = true) {
  memory.check_depth();
  if (value.is_null()) return "nil";
  if (value.is_integer()) return std::to_string(value.as_integer());
  if (const auto* symbol = memory.as<Symbol>(value)) return std::string(symbol->name());
  std::string text;
  if (const auto* string = memory.as<String>(value)) {
    if (!readable) return std::string(string->text());
    for (const char c : string->text()) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    return '"' + text + '"';
  }
  const auto* pair = memory.as<Pair>(value);
  if (pair == nullptr) return "#<function>";
  for (; pair != nullptr; pair = memory.as<Pair>(value)) {
    text += (text.empty() ? '(' : ' ') + print(memory, pair->first.get(), readable);
    value = pair->rest.get();
  }
  if (!value.is_null()) text += " . " + print(memory, value, readable);
  return text + ')';
}

/// Reads text expression by expression.
class Reader {
 public:
  explicit Reader(Memory& memory) : memory_(memory) {}
  void add(std::string_view text) { text_ += text; }
  void skip_all() {
    while (!at_end()) take();
  }
  /// The next expression, or nothing at the end. Where the text ends within one, the failure is
  /// kIncomplete, and after add() it is read again from its beginning.
  std::optional<Value> next() {
    skip_space();
    if (at_end()) return text_.clear(), at_.offset = 0, std::nullopt;
    start_ = at_;
    const StackMark mark{memory_.stack};
    try {
      return read();
    } catch (Failure& failure) {
      if (failure.kind == Failure::kIncomplete) at_ = start_;
      failure.place = place_text(memory_, place(at_));
      throw;
    }
  }
  /// Where the last one begins.
  [[nodiscard]] std::string start() const { return place_text(memory_, place(start_)); }

 private:
  static constexpr std::string_view kDelimiters = " \t\r\n()'\";";
  struct Position {
    std::size_t offset = 0;
    std::uint32_t line = 1, column = 1;
  };
  [[nodiscard]] bool at_end() const { return at_.offset == text_.size(); }
  [[nodiscard]] bool at(std::string_view any) const {  // whether one of these is next
    return !at_end() && any.find(text_[at_.offset]) != any.npos;
  }
  char take() {
    if (at_end()) throw Failure{"the text ends within this expression", Failure::kIncomplete};
    const char c = text_[at_.offset++];
    if ((c & 0xc0) != 0x80) ++at_.column;  // of characters, not of bytes in UTF-8
    if (c == '\n') ++at_.line, at_.column = 1;
    return c;
  }
  void skip_space() {
    while (at(" \t\r\n;")) {
      if (take() != ';') continue;
      while (!at_end() && !at("\n")) take();
    }
  }
  [[nodiscard]] std::uint32_t place(const Position& at) const {
    return memory_.file.empty() ? 0 : at.line << 10 | std::min(at.column, 1023U);
  }
  Value read() {
    memory_.check_depth();
    skip_space();
    const std::uint32_t start = place(at_);
    const std::size_t base = memory_.stack.size();
    if (!at_end() && !at(kDelimiters)) return read_atom();
    if (at(")")) throw Failure{"there is no list to close", Failure::kSyntax};
    const char c = take();
    if (c == '"') {
      std::string text;
      while (!at("\"")) {
        const bool is_escaped = at("\\") && take() == '\\';
        const char next = take();
        text += is_escaped && next == 'n' ? '\n' : next;
      }
      take();
      return memory_.string(text);
    }
    if (c == '\'') {
      memory_.push(besom::Ref<Symbol>(memory_.intern("quote")));
      memory_.push(read());
      memory_.push(Value());
      return memory_.pop_list(base, start);
    }
    bool is_dotted = false;  // the elements wait on the stack until the list's end is known
    for (skip_space(); !at(")"); skip_space()) {
      if (is_dotted) throw Failure{"one expression has to follow a dot", Failure::kSyntax};
      is_dotted = at(".") && text_.find_first_of(kDelimiters, at_.offset) == at_.offset + 1;
      if (is_dotted) take();
      memory_.push(read());
    }
    take();
    if (!is_dotted) memory_.push(Value());
    return memory_.pop_list(base, start);
  }
  Value read_atom() {
    const std::size_t begin = at_.offset;
    while (!at_end() && !at(kDelimiters)) take();
    const std::string_view token = std::string_view(text_).substr(begin, at_.offset - begin);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
    if (error == std::errc::invalid_argument || end != token.data() + token.size()) {
      return token == "nil" ? Value() : Value(besom::Ref<Symbol>(memory_.intern(token)));
    }
    if (error != std::errc() || number < Value::kMinInt || number > Value::kMaxInt) {
      throw Failure{"integer out of range", Failure::kSyntax};
    }
    return Value::integer(number);
  }
  Memory& memory_;
  std::string text_;
  Position at_, start_;
};
}  // namespace lisp
