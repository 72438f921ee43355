#include "reader.hpp"

#include "chars.hpp"
#include "lists.hpp"
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

void Reader::fail(std::string_view message) {
  const Place place{port()->name.get(), line_, column_};
  if (is_incomplete_) {
    in_.fail_at({place.file, port()->line, port()->column}, message, {}, kReadCondition);
  }
  in_.fail_at(place, message, {}, kReadCondition);
}

char32_t Reader::peek() { return peek_char(in_, port()); }
char32_t Reader::next() { return read_char(in_, port()); }

void Reader::skip_block_comment() {
  for (int depth = 1; depth > 0;) {
    const char32_t c = next();
    if (c == kNoChar) {
      is_incomplete_ = true;
      fail("unexpected end of input in a block comment");
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

/// Space and comments; false at the end of the input.
bool Reader::skip_space() {
  for (;;) {
    const char32_t c = peek();
    if (c == kNoChar) return false;
    if (c == U';') {
      while (peek() != kNoChar && peek() != U'\n') next();
    } else if (is_whitespace(c)) {
      next();
    } else {
      return true;
    }
  }
}

Reader::Token Reader::next_token() {
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

std::u32string Reader::rest_of_word(bool& has_bars) {
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
bool Reader::number_token(const std::string& word) {
  const ParsedNumber parsed = parse_number(word);
  if (parsed.problem == ParsedNumber::kTooLarge) fail("integer literal needs more than 64 bits");
  if (parsed.number) datum_ = value_of(in_, *parsed.number);
  return parsed.number.has_value();
}

Reader::Token Reader::word_token(std::u32string word, bool has_bars) {
  if (!has_bars) {
    if (word == U".") return Token::dot;
    if (number_token(to_utf8(word))) return Token::datum;
  }
  datum_ = in_.intern(word);
  return Token::datum;
}

Reader::Token Reader::hash_token() {
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
      datum_ = in_.symbol("box");
      return Token::prefix;
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

Value Reader::char_token() {
  const char32_t first = next();
  if (first == kNoChar) {
    is_incomplete_ = true;
    fail("unexpected end of input in a character");
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

char32_t Reader::hex_escape() {
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
char32_t Reader::rest_of_line_end() {
  if (peek() == U'\n') next();
  return U'\n';
}

/// Up to the closing quote, which is `"` or `|`.
void Reader::quoted_part(std::u32string& text, char32_t quote) {
  for (;;) {
    char32_t c = next();
    if (c == kNoChar) {
      is_incomplete_ = true;
      fail(quote == U'"' ? "unexpected end of input in a string"
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
        if (c == kNoChar) is_incomplete_ = true;
        if (c != U'\n') fail("unknown escape in a string");
        while (peek() == U' ' || peek() == U'\t') next();
      }
    }
  }
}

void Reader::append(Open& list, Value value) {
  if (list.state == Open::after_dot) {
    in_.pair(list.last)->cdr.set(value);
    list.state = Open::after_tail;
    return;
  }
  if (list.state == Open::after_tail) fail("more than one datum after a dot");
  const Value cell = in_.cons(value, kNil);
  if (map_ != nullptr) map_->add(cell, line_, column_);
  if (list.head == kNil) {
    list.head = cell;
    // The list is where its parenthesis is.
    if (map_ != nullptr) map_->add(cell, list.line, list.column);
  } else {
    in_.pair(list.last)->cdr.set(cell);
  }
  list.last = cell;
}

Value Reader::close(const Open& open) {
  if (open.state == Open::after_dot) fail("no datum after a dot");
  if (open.kind == Token::open) return open.head;
  const auto length = static_cast<std::uint32_t>(list_length(in_, open.head));
  if (open.kind == Token::open_vector) {
    const Value vector = in_.make_vector(length, kNil);
    Slot* slot = in_.at<Vector>(vector)->slots();
    for (Value rest = open.head; rest != kNil; rest = in_.cdr(rest)) (slot++)->set(in_.car(rest));
    return vector;
  }
  const Value bytes = in_.make_bytevector(length);
  std::uint8_t* byte = in_.at<Bytevector>(bytes)->bytes();
  for (Value rest = open.head; rest != kNil; rest = in_.cdr(rest)) {
    const Value item = in_.car(rest);
    if (!is_fixnum(item) || fixnum_of(item) < 0 || fixnum_of(item) > 255) {
      fail("a bytevector's elements are integers from 0 to 255");
    }
    *byte++ = static_cast<std::uint8_t>(fixnum_of(item));
  }
  return bytes;
}

/// Gives a finished datum to what it is part of; true when it is the whole.
bool Reader::deliver(Value& value) {
  while (!open_.empty()) {
    Open& top = open_.back();
    switch (top.kind) {
      case Token::prefix: {
        const std::uint32_t line = top.line, column = top.column;
        const Value name = top.head;
        open_.pop_back();
        const Value tail = in_.cons(value, kNil);
        value = in_.cons(name, tail);
        if (map_ != nullptr) map_->add(value, line, column);
        if (map_ != nullptr) map_->add(tail, line, column);
        line_ = line;
        column_ = column;
        break;
      }
      case Token::label:
        if (value == labels_[top.label]) fail("datum label refers to itself");
        placeholders_[labels_[top.label].bits()] = value;
        open_.pop_back();
        break;
      case Token::comment:
        open_.pop_back();
        return false;
      default:
        append(top, value);
        return false;
    }
  }
  return true;
}

Value Reader::read() {
  open_.clear();
  labels_.clear();
  placeholders_.clear();
  is_incomplete_ = false;
  for (;;) {
    const Token token = next_token();
    Value value = datum_;
    switch (token) {
      case Token::end:
        if (open_.empty()) return kEof;
        is_incomplete_ = true;
        fail("unexpected end of input: a datum that began at line " +
             std::to_string(open_.back().line) + " is not complete");
      case Token::open:
      case Token::open_vector:
      case Token::open_bytes:
        open_.push_back({token, kNil, kNil, line_, column_, Open::items, 0});
        continue;
      case Token::prefix:
        open_.push_back({token, datum_, kNil, line_, column_, Open::items, 0});
        continue;
      case Token::comment:
        open_.push_back({token, kNil, kNil, line_, column_, Open::items, 0});
        continue;
      case Token::label:
        labels_[label_] = in_.ref(in_.make<Box>(kBox));
        open_.push_back({token, kNil, kNil, line_, column_, Open::items, label_});
        continue;
      case Token::reference: {
        const auto label = labels_.find(label_);
        if (label == labels_.end()) fail("unknown datum label #" + std::to_string(label_) + "#");
        const auto known = placeholders_.find(label->second.bits());
        value = known != placeholders_.end() ? known->second : label->second;
        break;
      }
      case Token::dot:
        if (open_.empty() || open_.back().kind != Token::open || open_.back().head == kNil ||
            open_.back().state != Open::items) {
          fail("unexpected dot");
        }
        open_.back().state = Open::after_dot;
        continue;
      case Token::close: {
        if (open_.empty()) fail("unexpected closing parenthesis");
        const Open done = open_.back();
        if (done.kind == Token::prefix || done.kind == Token::comment ||
            done.kind == Token::label) {
          fail("unexpected closing parenthesis");
        }
        value = close(done);
        open_.pop_back();
        line_ = done.line;
        column_ = done.column;
        break;
      }
      case Token::datum:
        break;
    }
    if (deliver(value)) return placeholders_.empty() ? value : resolve_labels(value);
  }
}

/// Puts the labelled data in the place of their placeholders.
Value Reader::resolve_labels(Value root) {
  const auto resolved = [&](Value value) {
    for (auto found = placeholders_.find(value.bits()); found != placeholders_.end();
         found = placeholders_.find(value.bits())) {
      value = found->second;
    }
    return value;
  };
  root = resolved(root);
  std::unordered_map<std::uint32_t, bool> seen;
  std::vector<Value> waiting{root};
  while (!waiting.empty()) {
    const Value value = waiting.back();
    waiting.pop_back();
    if (!is_object(value) || seen[value.bits()]) continue;
    seen[value.bits()] = true;
    const auto visit = [&](Slot& slot) {
      const Value target = resolved(slot.get());
      if (target != slot.get()) slot.set(target);
      waiting.push_back(target);
    };
    if (in_.is_pair(value)) {
      visit(in_.pair(value)->car);
      visit(in_.pair(value)->cdr);
    } else if (in_.is(value, kVector)) {
      auto* vector = in_.at<Vector>(value);
      for (std::uint32_t i = 0; i < vector->size(); ++i) visit(vector->slots()[i]);
    }
  }
  return root;
}

}  // namespace scheme
