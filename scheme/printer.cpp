#include "printer.hpp"

#include <cctype>
#include <cstdio>
#include <unordered_map>
#include <vector>

#include "chars.hpp"
#include "interp.hpp"
#include "numbers.hpp"
#include "text.hpp"

namespace scheme {
namespace {

class Printer {
 public:
  Printer(Interp& in, const PrintOptions& options) : in_(in), options_(options) {}

  std::string print(Value object) {
    if (may_share(object)) find_shared(object);
    if (options_.sharing == PrintOptions::none && !labels_.empty()) {
      in_.fail("write-simple: circular structure");
    }
    steps_.push_back({Step::object, object, 0});
    while (!steps_.empty() && !is_full()) {
      const Step step = steps_.back();
      steps_.pop_back();
      switch (step.kind) {
        case Step::object:
          print_object(step.value);
          break;
        case Step::tail:
          print_tail(step.value);
          break;
        case Step::elements:
          print_elements(step.value, step.next);
          break;
        case Step::close:
          text_ += ')';
          break;
      }
    }
    if (is_full()) {
      text_.resize(options_.most);
      text_ += "...";
    }
    return std::move(text_);
  }

 private:
  struct Step {
    enum Kind { object, tail, elements, close } kind;
    Value value;
    std::uint32_t next;
  };

  bool is_full() const { return options_.most != 0 && text_.size() > options_.most; }
  bool may_share(Value value) const {
    return in_.is_pair(value) || in_.is(value, kVector) || in_.is(value, kBox);
  }

  /// Objects met twice: on the way down to themselves (cycles), or at all. A depth-first walk with
  /// a stack of its own; `open` are the objects whose parts are being visited.
  void find_shared(Value root) {
    struct Visit {
      Value value;
      std::uint32_t next;
    };
    enum State { open = 1, done = 2 };
    std::unordered_map<std::uint32_t, int> states;
    std::vector<Visit> path;
    const auto enter = [&](Value value) {
      if (!may_share(value)) return;
      const auto [state, is_new] = states.emplace(value.bits(), open);
      if (is_new) {
        path.push_back({value, 0});
      } else if (options_.sharing == PrintOptions::all || state->second == open) {
        labels_.emplace(value.bits(), -1);
      }
    };
    enter(root);
    while (!path.empty()) {
      const Value value = path.back().value;
      const std::uint32_t next = path.back().next++;
      if (in_.is_pair(value) && next < 2) {
        enter(next == 0 ? in_.car(value) : in_.cdr(value));
      } else if (in_.is(value, kVector) && next < in_.at<Vector>(value)->size()) {
        enter(in_.at<Vector>(value)->slots()[next].get());
      } else if (in_.is(value, kBox) && next < 1) {
        enter(in_.at<Box>(value)->value.get());
      } else {
        states[value.bits()] = done;
        path.pop_back();
      }
    }
  }

  /// Whether the object was printed before; then its label stands for it.
  bool print_label(Value value) {
    const auto label = labels_.find(value.bits());
    if (label == labels_.end() || !is_object(value)) return false;
    const bool is_again = label->second >= 0;
    if (!is_again) label->second = next_label_++;
    text_ += '#' + std::to_string(label->second) + (is_again ? '#' : '=');
    return is_again;
  }

  void print_object(Value value) {
    if (print_label(value)) return;
    if (is_fixnum(value)) {
      text_ += number_text(std::int64_t{fixnum_of(value)});
    } else if (scheme::is_char(value)) {
      print_char(char_of(value));
    } else if (!is_object(value)) {
      print_constant(value);
    } else {
      print_heap_object(value);
    }
  }

  void print_constant(Value value) {
    constexpr const char* kNames[] = {"#t",        "()",         "#<eof>",        "",
                                      "#!default", "#<unbound>", "#<unassigned>", "#<deleted>"};
    if (value == kFalse) {
      text_ += "#f";
    } else if (value == kUnspecified) {
      text_ += "#<unspecified>";
    } else {
      text_ += kNames[(value.bits() >> 4) - 1];
    }
  }

  void print_heap_object(Value value) {
    switch (TypeNumber{in_.at<Header>(value)->type}) {
      case kPair:
        print_pair(value);
        break;
      case kFlonum:
        text_ += number_text(in_.at<Flonum>(value)->value);
        break;
      case kInteger:
        text_ += number_text(in_.at<Integer>(value)->value);
        break;
      case kSymbol:
        options_.display ? void(text_ += in_.utf8(value)) : print_symbol(in_.name_of(value));
        break;
      case kAlias:
        print_object(in_.at<Alias>(value)->name.get());
        break;
      case kString:
        options_.display ? void(text_ += in_.utf8(value)) : print_string(in_.text(value));
        break;
      case kVector:
        text_ += "#(";
        steps_.push_back({Step::close, kNil, 0});
        steps_.push_back({Step::elements, value, 0});
        break;
      case kBytevector: {
        text_ += "#u8(";
        auto* bytes = in_.at<Bytevector>(value);
        for (std::uint32_t i = 0; i < bytes->size() && !is_full(); ++i) {
          text_ += (i == 0 ? "" : " ") + std::to_string(bytes->bytes()[i]);
        }
        text_ += ')';
        break;
      }
      case kBox:
        text_ += "#&";
        steps_.push_back({Step::object, in_.at<Box>(value)->value.get(), 0});
        break;
      case kValues:
        for (std::uint32_t i = in_.at<Vector>(value)->size(); i > 0; --i) {
          steps_.push_back({Step::object, in_.at<Vector>(value)->slots()[i - 1].get(), 0});
          // Printed one after the other, each on its own: seldom seen, at the REPL alone.
        }
        break;
      default:
        print_opaque(value);
        break;
    }
  }

  /// What has no notation of its own.
  void print_opaque(Value value) {
    const auto named = [&](const char* kind, Value name) {
      text_ += std::string("#<") + kind;
      if (in_.is_symbol(name)) text_ += " " + in_.utf8(name);
      text_ += '>';
    };
    switch (TypeNumber{in_.at<Header>(value)->type}) {
      case kClosure:
        return named("procedure", in_.at<Code>(in_.at<Closure>(value)->code.get())->name.get());
      case kPrimitive:
        return named("procedure", in_.at<Primitive>(value)->name.get());
      case kForm:
        return named("syntax", in_.at<Form>(value)->name.get());
      case kCell:
        return named("variable", in_.at<Cell>(value)->name.get());
      case kRecordType:
        return named("record-type", in_.at<RecordType>(value)->name.get());
      case kRecord:
        return print_record(value);
      case kCondition: {
        const auto* condition = in_.at<Condition>(value);
        text_ += "#<condition ";
        if (in_.is(condition->message.get(), kString)) {
          print_string(in_.text(condition->message.get()));
        }
        text_ += '>';
        return;
      }
      default:
        text_ += "#<" + in_.heap().descriptor(in_.at<Header>(value)->type)->name + ">";
    }
  }

  /// Fields that are structures themselves are left out: they may contain the record.
  void print_record(Value value) {
    auto* record = in_.at<Record>(value);
    const auto* type = in_.at<RecordType>(record->type.get());
    text_ += "#<" + in_.utf8(type->name.get());
    for (std::uint32_t i = 0; i < record->header.length && !is_full(); ++i) {
      const Value field = record->fields()[i].get();
      text_ += " " + in_.utf8(in_.at<Vector>(type->fields.get())->slots()[i].get()) + ": ";
      if (may_share(field) || in_.is(field, kRecord)) {
        text_ += "...";
      } else {
        print_object(field);
      }
    }
    text_ += '>';
  }

  void print_pair(Value value) {
    const Value rest = in_.cdr(value);
    if (in_.is_symbol(in_.car(value)) && in_.is_pair(rest) && in_.cdr(rest) == kNil &&
        labels_.find(rest.bits()) == labels_.end()) {
      const std::u32string_view name = in_.name_of(in_.car(value));
      const char* prefix = name == U"quote"              ? "'"
                           : name == U"quasiquote"       ? "`"
                           : name == U"unquote"          ? ","
                           : name == U"unquote-splicing" ? ",@"
                                                         : nullptr;
      if (prefix != nullptr) {
        text_ += prefix;
        steps_.push_back({Step::object, in_.car(rest), 0});
        return;
      }
    }
    text_ += '(';
    steps_.push_back({Step::tail, rest, 0});
    steps_.push_back({Step::object, in_.car(value), 0});
  }

  void print_tail(Value rest) {
    if (rest == kNil) {
      text_ += ')';
    } else if (in_.is_pair(rest) && labels_.find(rest.bits()) == labels_.end()) {
      text_ += ' ';
      steps_.push_back({Step::tail, in_.cdr(rest), 0});
      steps_.push_back({Step::object, in_.car(rest), 0});
    } else {
      text_ += " . ";
      steps_.push_back({Step::close, kNil, 0});
      steps_.push_back({Step::object, rest, 0});
    }
  }

  void print_elements(Value vector, std::uint32_t next) {
    auto* object = in_.at<Vector>(vector);
    if (next == object->size()) return;
    if (next != 0) text_ += ' ';
    steps_.push_back({Step::elements, vector, next + 1});
    steps_.push_back({Step::object, object->slots()[next].get(), 0});
  }

  void print_char(char32_t c) {
    if (options_.display) return append_utf8(text_, c);
    text_ += "#\\";
    const std::string_view name = name_of_char(c);
    if (!name.empty()) {
      text_ += name;
    } else if (c < 32 || !is_printable(in_, c)) {
      append_hex("x", c, "");
    } else {
      append_utf8(text_, c);
    }
  }

  void append_hex(const char* before, char32_t c, const char* after) {
    char hex[16];
    std::snprintf(hex, sizeof hex, "%s%x%s", before, static_cast<unsigned>(c), after);
    text_ += hex;
  }

  void print_escaped(char32_t c, char32_t quote) {
    switch (c) {
      case U'\n':
        text_ += "\\n";
        break;
      case U'\t':
        text_ += "\\t";
        break;
      case U'\r':
        text_ += "\\r";
        break;
      case U'\a':
        text_ += "\\a";
        break;
      case U'\\':
        text_ += "\\\\";
        break;
      default:
        if (c == quote) {
          text_ += '\\';
          append_utf8(text_, c);
        } else if (c < 32 || c == 127 || (quote == U'|' && !is_printable(in_, c))) {
          append_hex("\\x", c, ";");
        } else {
          append_utf8(text_, c);
        }
    }
  }

  void print_string(std::u32string_view text) {
    text_ += '"';
    for (std::size_t i = 0; i < text.size() && !is_full(); ++i) print_escaped(text[i], U'"');
    text_ += '"';
  }

  void print_symbol(std::u32string_view name) {
    if (!needs_bars(name)) {
      text_ += to_utf8(name);
      return;
    }
    text_ += '|';
    for (const char32_t c : name) print_escaped(c, U'|');
    text_ += '|';
  }

  /// Whether the reader would take the bare name for something else, or for more than one datum.
  bool needs_bars(std::u32string_view name) const {
    if (name.empty() || name == U".") return true;
    // What the reader, this one or another, sets aside for other syntax.
    if (name[0] == U'#' || name[0] == kByteOrderMark) return true;
    for (const char32_t c : name) {
      if (!is_printable(in_, c) || is_whitespace(c) ||
          (c < 128 && std::string_view("()[]{}\"';`,|\\").find(static_cast<char>(c)) !=
                          std::string_view::npos)) {
        return true;
      }
    }
    const std::string text = to_utf8(name);
    if (parse_number(text).is_numeric()) return true;
    // What begins as an infinity or a NaN does is a number to some readers.
    return (text[0] == '+' || text[0] == '-') &&
           std::isalpha(static_cast<unsigned char>(text[1])) &&
           parse_number(text.substr(0, 6)).number;
  }

  Interp& in_;
  const PrintOptions& options_;
  std::string text_;
  std::vector<Step> steps_;
  std::unordered_map<std::uint32_t, int> labels_;
  int next_label_ = 0;
};

}  // namespace

std::string print(Interp& in, Value object, const PrintOptions& options) {
  return Printer(in, options).print(object);
}

}  // namespace scheme
