#include "reader.hpp"

#include "lists.hpp"

namespace scheme {

void Reader::append(Open& list, Value value) {
  if (list.state == Open::after_dot) {
    in_.pair(list.last)->cdr.set(value);
    list.state = Open::after_tail;
    return;
  }
  if (list.state == Open::after_tail) lexer_.fail("more than one datum after a dot");
  const Value cell = in_.cons(value, kNil);
  if (map_ != nullptr) map_->add(cell, lexer_.line(), lexer_.column());
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
  if (open.state == Open::after_dot) lexer_.fail("no datum after a dot");
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
      lexer_.fail("a bytevector's elements are integers from 0 to 255");
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
        lexer_.set_place(line, column);
        break;
      }
      case Token::box: {
        auto* object = in_.make<Box>(kBox);
        object->value.init(value);
        value = in_.ref(object);
        open_.pop_back();
        break;
      }
      case Token::label:
        if (value == labels_[top.label]) lexer_.fail("datum label refers to itself");
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
  lexer_.restart();
  in_.begin_form(lexer_.place());
  for (;;) {
    const Token token = lexer_.next_token();
    if (open_.empty()) in_.begin_form(lexer_.place());
    Value value = lexer_.datum();
    switch (token) {
      case Token::end:
        if (open_.empty()) return kEof;
        lexer_.fail_incomplete("unexpected end of input: a datum that began at line " +
                               std::to_string(open_.back().line) + " is not complete");
      case Token::open:
      case Token::open_vector:
      case Token::open_bytes:
        open_.push_back({token, kNil, kNil, lexer_.line(), lexer_.column(), Open::items, 0});
        continue;
      case Token::prefix:
        open_.push_back(
            {token, lexer_.datum(), kNil, lexer_.line(), lexer_.column(), Open::items, 0});
        continue;
      case Token::box:
      case Token::comment:
        open_.push_back({token, kNil, kNil, lexer_.line(), lexer_.column(), Open::items, 0});
        continue;
      case Token::label:
        if (labels_.contains(lexer_.label())) {
          lexer_.fail("datum label #" + std::to_string(lexer_.label()) + "= defined twice");
        }
        labels_[lexer_.label()] = in_.ref(in_.make<Box>(kBox));
        open_.push_back(
            {token, kNil, kNil, lexer_.line(), lexer_.column(), Open::items, lexer_.label()});
        continue;
      case Token::reference: {
        const auto label = labels_.find(lexer_.label());
        if (label == labels_.end())
          lexer_.fail("unknown datum label #" + std::to_string(lexer_.label()) + "#");
        const auto known = placeholders_.find(label->second.bits());
        value = known != placeholders_.end() ? known->second : label->second;
        break;
      }
      case Token::dot:
        if (open_.empty() || open_.back().kind != Token::open || open_.back().head == kNil ||
            open_.back().state != Open::items) {
          lexer_.fail("unexpected dot");
        }
        open_.back().state = Open::after_dot;
        continue;
      case Token::close: {
        if (open_.empty()) lexer_.fail("unexpected closing parenthesis");
        const Open done = open_.back();
        if (done.kind == Token::prefix || done.kind == Token::box || done.kind == Token::comment ||
            done.kind == Token::label) {
          lexer_.fail("unexpected closing parenthesis");
        }
        value = close(done);
        open_.pop_back();
        lexer_.set_place(done.line, done.column);
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
    } else if (in_.is(value, kBox)) {
      visit(in_.at<Box>(value)->value);
    }
  }
  return root;
}

}  // namespace scheme
