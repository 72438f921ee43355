/// Input and output.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "builtins.hpp"
#include "numbers.hpp"
#include "ports.hpp"
#include "printer.hpp"
#include "reader.hpp"
#include "text.hpp"

namespace scheme {
namespace {

constexpr std::uint32_t kTextIn = kInputPort | kTextualPort;
constexpr std::uint32_t kTextOut = kOutputPort | kTextualPort;
constexpr std::uint32_t kBinaryIn = kInputPort | kBinaryPort;
constexpr std::uint32_t kBinaryOut = kOutputPort | kBinaryPort;

/// The port in argument `index`, else the current one.
Port* input(Interp& in, const Value* args, std::uint32_t count, std::uint32_t index,
            std::uint32_t kind, const char* who) {
  const Value port =
      count > index ? args[index] : in.at<Parameter>(in.registers.input)->value.get();
  Port* object = port_of(in, port, kind | kInputPort | kOpenPort, who);
  // What was asked should be seen before the answer is waited for.
  if (object->descriptor == 0) flush(in, port_of(in, current_output(in), kOutputPort, who));
  return object;
}
Port* output(Interp& in, const Value* args, std::uint32_t count, std::uint32_t index,
             std::uint32_t kind, const char* who) {
  return port_of(in, count > index ? args[index] : current_output(in),
                 kind | kOutputPort | kOpenPort, who);
}

std::string file_name(Interp& in, Value name, const char* who) {
  if (!in.is(name, kString)) in.wrong_type(who, "string", name);
  return in.utf8(name);
}
template <std::uint32_t flags>
BUILTIN(open) {
  return open_file(in, file_name(in, args[0], "open file"), flags);
}
BUILTIN(open_input_string) {
  return memory_port(in, kTextIn, file_name(in, args[0], "open-input-string"));
}
BUILTIN(open_output_string) { return memory_port(in, kTextOut); }
BUILTIN(open_output_bytevector) { return memory_port(in, kBinaryOut); }
BUILTIN(open_input_bytevector) {
  if (!in.is(args[0], kBytevector)) in.wrong_type("open-input-bytevector", "bytevector", args[0]);
  auto* bytes = in.at<Bytevector>(args[0]);
  return memory_port(in, kBinaryIn, {reinterpret_cast<const char*>(bytes->bytes()), bytes->size()});
}
std::string_view written(Interp& in, const Port* port) {
  return {reinterpret_cast<const char*>(in.at<Bytevector>(port->buffer.get())->bytes()), port->end};
}
BUILTIN(get_output_string) {
  return in.string(written(in, port_of(in, args[0], kTextOut | kMemoryPort, "get-output-string")));
}
BUILTIN(get_output_bytevector) {
  const Port* port = port_of(in, args[0], kBinaryOut | kMemoryPort, "get-output-bytevector");
  const Value result = in.make_bytevector(port->end);
  const std::string_view bytes = written(in, port);
  std::memcpy(in.at<Bytevector>(result)->bytes(), bytes.data(), bytes.size());
  return result;
}

template <std::uint32_t flags>
BUILTIN(is_port) {
  return boolean(in.is(args[0], kPort) && (in.at<Port>(args[0])->flags & flags) == flags);
}
template <std::uint32_t kind>
BUILTIN(is_open) {
  return boolean((port_of(in, args[0], kind, "port-open?")->flags & kOpenPort) != 0);
}
template <std::uint32_t kind>
BUILTIN(close) {
  close_port(in, port_of(in, args[0], kind, "close-port"));
  return kUnspecified;
}
BUILTIN(flush_port) {
  flush(in, output(in, args, count, 0, 0, "flush-output-port"));
  return kUnspecified;
}

Value char_or_end(char32_t c) { return c == kNoChar ? kEof : character(c); }
BUILTIN(read_character) {
  return char_or_end(read_char(in, input(in, args, count, 0, kTextualPort, "read-char")));
}
BUILTIN(peek_character) {
  return char_or_end(peek_char(in, input(in, args, count, 0, kTextualPort, "peek-char")));
}
BUILTIN(is_char_ready) {
  return boolean(is_ready(input(in, args, count, 0, kTextualPort, "char-ready?")));
}
BUILTIN(read_line) {
  Port* port = input(in, args, count, 0, kTextualPort, "read-line");
  if (peek_char(in, port) == kNoChar) return kEof;
  std::u32string line;
  for (char32_t c = read_char(in, port); c != kNoChar && c != U'\n'; c = read_char(in, port)) {
    line += c;
  }
  if (!line.empty() && line.back() == U'\r') line.pop_back();
  return in.string(line);
}
BUILTIN(read_string) {
  // R7RS has (read-string k [port]); others have it the other way round.
  const bool is_swapped = count == 2 && in.is(args[0], kPort);
  if (is_swapped) std::swap(args[0], args[1]);
  const std::uint32_t most = index_of(in, args[0], "read-string", 0x3ffffff0);
  Port* port = input(in, args, count, 1, kTextualPort, "read-string");
  std::u32string text;
  while (text.size() < most) {
    const char32_t c = read_char(in, port);
    if (c == kNoChar) break;
    text += c;
  }
  return text.empty() && most > 0 ? kEof : in.string(text);
}
BUILTIN(read_datum) {
  Port* port = input(in, args, count, 0, kTextualPort, "read");
  Pins pins(in);
  return Reader(in, in.ref(port)).read();
}

Value byte_or_end(int byte) { return byte < 0 ? kEof : fixnum(byte); }
BUILTIN(read_u8) {
  return byte_or_end(read_byte(in, input(in, args, count, 0, kBinaryPort, "read-u8")));
}
BUILTIN(peek_u8) {
  return byte_or_end(peek_byte(in, input(in, args, count, 0, kBinaryPort, "peek-u8")));
}
BUILTIN(is_u8_ready) {
  return boolean(is_ready(input(in, args, count, 0, kBinaryPort, "u8-ready?")));
}
BUILTIN(read_bytevector) {
  const std::uint32_t most = index_of(in, args[0], "read-bytevector", 0xfffffff0);
  Port* port = input(in, args, count, 1, kBinaryPort, "read-bytevector");
  std::string bytes;
  while (bytes.size() < most) {
    const int byte = read_byte(in, port);
    if (byte < 0) break;
    bytes += static_cast<char>(byte);
  }
  if (bytes.empty() && most > 0) return kEof;
  const Value result = in.make_bytevector(bytes.size());
  std::memcpy(in.at<Bytevector>(result)->bytes(), bytes.data(), bytes.size());
  return result;
}
BUILTIN(read_bytevector_into) {
  if (!in.is(args[0], kBytevector)) in.wrong_type("read-bytevector!", "bytevector", args[0]);
  Port* port = input(in, args, count, 1, kBinaryPort, "read-bytevector!");
  const std::uint32_t size = in.at<Bytevector>(args[0])->size();
  const Span span = span_of(in, args, count, 2, size, "read-bytevector!");
  std::uint32_t at = span.start;
  for (; at < span.end; ++at) {
    const int byte = read_byte(in, port);
    if (byte < 0) break;
    in.at<Bytevector>(args[0])->bytes()[at] = static_cast<std::uint8_t>(byte);
  }
  return at == span.start && span.size() > 0 ? kEof : fixnum(at - span.start);
}

template <bool display, PrintOptions::Sharing sharing>
BUILTIN(write_datum) {
  Port* port = output(in, args, count, 1, kTextualPort, display ? "display" : "write");
  if (display && in.is(args[0], kString)) {
    write_bytes(in, port, in.utf8(args[0]));
  } else {
    PrintOptions options;
    options.display = display;
    options.sharing = sharing;
    write_bytes(in, port, print(in, args[0], options));
  }
  return kUnspecified;
}
BUILTIN(newline) {
  write_bytes(in, output(in, args, count, 0, kTextualPort, "newline"), "\n");
  return kUnspecified;
}
BUILTIN(fresh_line) {
  Port* port = output(in, args, count, 0, kTextualPort, "fresh-line");
  if (port->column != 1) write_bytes(in, port, "\n");
  return kUnspecified;
}
BUILTIN(write_character) {
  if (!is_char(args[0])) in.wrong_type("write-char", "character", args[0]);
  std::string bytes;
  append_utf8(bytes, char_of(args[0]));
  write_bytes(in, output(in, args, count, 1, kTextualPort, "write-char"), bytes);
  return kUnspecified;
}
BUILTIN(write_string) {
  if (!in.is(args[0], kString)) in.wrong_type("write-string", "string", args[0]);
  Port* port = output(in, args, count, 1, kTextualPort, "write-string");
  const Span span = span_of(in, args, count, 2, in.at<String>(args[0])->size(), "write-string");
  write_bytes(in, port, to_utf8(in.text(args[0]).substr(span.start, span.size())));
  return kUnspecified;
}
BUILTIN(write_u8) {
  if (!is_fixnum(args[0]) || fixnum_of(args[0]) < 0 || fixnum_of(args[0]) > 255) {
    in.wrong_type("write-u8", "byte", args[0]);
  }
  const char byte = static_cast<char>(fixnum_of(args[0]));
  write_bytes(in, output(in, args, count, 1, kBinaryPort, "write-u8"), {&byte, 1});
  return kUnspecified;
}
BUILTIN(write_bytevector) {
  if (!in.is(args[0], kBytevector)) in.wrong_type("write-bytevector", "bytevector", args[0]);
  Port* port = output(in, args, count, 1, kBinaryPort, "write-bytevector");
  auto* bytes = in.at<Bytevector>(args[0]);
  const Span span = span_of(in, args, count, 2, bytes->size(), "write-bytevector");
  // A copy: the port may be the one whose buffer grows meanwhile.
  write_bytes(in, port,
              std::string(reinterpret_cast<const char*>(bytes->bytes()) + span.start, span.size()));
  return kUnspecified;
}
BUILTIN(eof_object) { return kEof; }
BUILTIN(is_eof_object) { return boolean(args[0] == kEof); }

BUILTIN(file_exists) {
  struct stat status {};
  return boolean(stat(file_name(in, args[0], "file-exists?").c_str(), &status) == 0);
}
BUILTIN(delete_file) {
  if (unlink(file_name(in, args[0], "delete-file").c_str()) != 0) {
    in.fail(std::string("cannot delete file: ") + std::strerror(errno), {args[0]}, kFileCondition);
  }
  return kUnspecified;
}

constexpr Builtin kBuiltins[] = {
    {"open-input-file", open<kTextIn>, 1, 1},
    {"open-output-file", open<kTextOut>, 1, 1},
    {"open-binary-input-file", open<kBinaryIn>, 1, 1},
    {"open-binary-output-file", open<kBinaryOut>, 1, 1},
    {"open-input-string", open_input_string, 1, 1},
    {"open-output-string", open_output_string, 0, 0},
    {"open-input-bytevector", open_input_bytevector, 1, 1},
    {"open-output-bytevector", open_output_bytevector, 0, 0},
    {"get-output-string", get_output_string, 1, 1},
    {"get-output-bytevector", get_output_bytevector, 1, 1},
    {"port?", is_port<0>, 1, 1},
    {"input-port?", is_port<kInputPort>, 1, 1},
    {"output-port?", is_port<kOutputPort>, 1, 1},
    {"textual-port?", is_port<kTextualPort>, 1, 1},
    {"binary-port?", is_port<kBinaryPort>, 1, 1},
    {"input-port-open?", is_open<kInputPort>, 1, 1},
    {"output-port-open?", is_open<kOutputPort>, 1, 1},
    {"close-port", close<0>, 1, 1},
    {"close-input-port", close<kInputPort>, 1, 1},
    {"close-output-port", close<kOutputPort>, 1, 1},
    {"flush-output-port", flush_port, 0, 1},
    {"flush-output", flush_port, 0, 1},
    {"read-char", read_character, 0, 1},
    {"peek-char", peek_character, 0, 1},
    {"char-ready?", is_char_ready, 0, 1},
    {"read-line", read_line, 0, 1},
    {"read-string", read_string, 1, 2},
    {"read", read_datum, 0, 1},
    {"read-u8", read_u8, 0, 1},
    {"peek-u8", peek_u8, 0, 1},
    {"u8-ready?", is_u8_ready, 0, 1},
    {"read-bytevector", read_bytevector, 1, 2},
    {"read-bytevector!", read_bytevector_into, 1, 4},
    {"write", write_datum<false, PrintOptions::cycles>, 1, 2},
    {"write-shared", write_datum<false, PrintOptions::all>, 1, 2},
    {"write-simple", write_datum<false, PrintOptions::none>, 1, 2},
    {"display", write_datum<true, PrintOptions::cycles>, 1, 2},
    {"newline", newline, 0, 1},
    {"fresh-line", fresh_line, 0, 1},
    {"write-char", write_character, 1, 2},
    {"write-string", write_string, 1, 4},
    {"write-u8", write_u8, 1, 2},
    {"write-bytevector", write_bytevector, 1, 4},
    {"eof-object", eof_object, 0, 0},
    {"eof-object?", is_eof_object, 1, 1},
    {"file-exists?", file_exists, 1, 1},
    {"delete-file", delete_file, 1, 1},
};

}  // namespace

std::span<const Builtin> port_builtins() { return kBuiltins; }

}  // namespace scheme
