#include "ports.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "interp.hpp"
#include "text.hpp"

namespace scheme {
namespace {

constexpr std::uint32_t kFileBuffer = 4096;

struct Buffer {
  std::uint8_t* bytes;
  std::uint32_t size;
};
Buffer buffer_of(Interp& in, Port* port) {
  if ((port->flags & kMemoryPort) == 0) return {port->own_buffer(), port->header.length};
  auto* bytes = in.at<Bytevector>(port->buffer.get());
  return {bytes->bytes(), bytes->size()};
}

Value new_port(Interp& in, std::uint32_t flags, std::uint32_t buffer_bytes, Value name) {
  const bool is_memory = (flags & kMemoryPort) != 0;
  const Rooted rooted_name(in, name);
  const Rooted buffer(in, is_memory ? in.make_bytevector(buffer_bytes) : kFalse);
  auto* port = in.make<Port>(kPort, is_memory ? 0 : buffer_bytes);
  port->buffer.init(buffer.get());
  port->name.init(name);
  port->flags = flags | kOpenPort;
  port->descriptor = -1;
  port->line = port->column = 1;
  return in.ref(port);
}

[[noreturn]] void system_failure(Interp& in, Port* port, const char* what) {
  const std::string reason = std::strerror(errno);
  in.fail(std::string(what) + ": " + reason, {port->name.get()}, kFileCondition);
}

/// False at the end of the input.
bool fill(Interp& in, Port* port) {
  if (port->next < port->end) return true;
  if ((port->flags & kMemoryPort) != 0) return false;
  if ((port->flags & kAtEndPort) != 0) return false;
  for (;;) {
    const ssize_t got = read(port->descriptor, buffer_of(in, port).bytes, kFileBuffer);
    if (got > 0) {
      port->next = 0;
      port->end = static_cast<std::uint32_t>(got);
      return true;
    }
    if (got == 0) {
      // A terminal may give more after its end; a file's end stays.
      if ((port->flags & kTerminalPort) == 0) port->flags |= kAtEndPort;
      return false;
    }
    if (errno != EINTR) system_failure(in, port, "read");
    in.check_interrupt();
  }
}

/// A code point's bytes may straddle two fillings of the buffer.
bool fill_char(Interp& in, Port* port) {
  if (!fill(in, port)) return false;
  auto* bytes = buffer_of(in, port).bytes;
  const std::uint32_t needed = static_cast<std::uint32_t>(utf8_length(bytes[port->next]));
  while (port->end - port->next < needed && (port->flags & (kMemoryPort | kAtEndPort)) == 0) {
    std::memmove(bytes, bytes + port->next, port->end - port->next);
    port->end -= port->next;
    port->next = 0;
    const ssize_t got = read(port->descriptor, bytes + port->end, kFileBuffer - port->end);
    if (got == 0) break;
    if (got > 0) port->end += static_cast<std::uint32_t>(got);
    if (got < 0 && errno != EINTR) system_failure(in, port, "read");
  }
  return true;
}

void close_descriptor(Interp& in, Port* port) noexcept {
  in.outputs.erase(in.ref(port).bits());
  port->flags &= ~std::uint32_t{kOpenPort};
  if (port->descriptor > 2) close(port->descriptor);
  port->descriptor = -1;
}

void write_out(Interp& in, Port* port, const char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t written = write(port->descriptor, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) system_failure(in, port, "write");
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
}

}  // namespace

Value memory_port(Interp& in, std::uint32_t flags, std::string_view bytes, Value name) {
  const std::size_t room = std::max<std::size_t>(bytes.size(), 16);
  if (room > 0xfffffff0u) in.exhausted();
  const Value value = new_port(in, flags | kMemoryPort, static_cast<std::uint32_t>(room), name);
  auto* port = in.at<Port>(value);
  if (!bytes.empty()) std::memcpy(buffer_of(in, port).bytes, bytes.data(), bytes.size());
  if ((flags & kInputPort) != 0) port->end = static_cast<std::uint32_t>(bytes.size());
  return value;
}

Value descriptor_port(Interp& in, std::uint32_t flags, int descriptor, Value name) {
  const Value value = new_port(in, flags, kFileBuffer, name);
  auto* port = in.at<Port>(value);
  port->descriptor = descriptor;
  if (isatty(descriptor) != 0) port->flags |= kTerminalPort;
  if ((flags & kOutputPort) != 0) in.outputs.insert(value.bits());
  return value;
}

namespace {

/// As open(), which would leave it to the first read to tell of a folder.
int open_no_folder(const char* file, int mode) {
  const int descriptor = open(file, mode, 0666);
  struct stat status;
  if (descriptor < 0 || fstat(descriptor, &status) != 0 || !S_ISDIR(status.st_mode)) {
    return descriptor;
  }
  close(descriptor);
  errno = EISDIR;
  return -1;
}

}  // namespace

Value open_file(Interp& in, std::string_view path, std::uint32_t flags) {
  const Rooted name(in, in.string(path));
  const std::string file(path);
  const int mode =
      (flags & kInputPort) != 0 ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  int descriptor = open_no_folder(file.c_str(), mode);
  if (descriptor < 0 && (errno == EMFILE || errno == ENFILE)) {
    // Some may be open only because nobody noticed yet that they are forgotten.
    static_cast<void>(in.heap().collect());
    descriptor = open_no_folder(file.c_str(), mode);
  }
  if (descriptor < 0) {
    in.fail(std::string("cannot open file: ") + std::strerror(errno), {name.get()}, kFileCondition);
  }
  try {
    return descriptor_port(in, flags, descriptor, name.get());
  } catch (...) {
    close(descriptor);
    throw;
  }
}

Port* port_of(Interp& in, Value value, std::uint32_t flags, const char* who) {
  const std::uint32_t kinds = flags & ~std::uint32_t{kOpenPort};
  auto* port = in.at<Port>(value);
  if (!in.is(value, kPort) || (port->flags & kinds) != kinds) {
    std::string what = (flags & kTextualPort) != 0  ? "textual "
                       : (flags & kBinaryPort) != 0 ? "binary "
                                                    : "";
    what += (flags & kInputPort) != 0    ? "input port"
            : (flags & kOutputPort) != 0 ? "output port"
                                         : "port";
    in.wrong_type(who, what, value);
  }
  if ((flags & kOpenPort) != 0 && (port->flags & kOpenPort) == 0) {
    in.fail(in.public_name(who) + ": port is closed", {value});
  }
  return port;
}

int peek_byte(Interp& in, Port* port) {
  return fill(in, port) ? buffer_of(in, port).bytes[port->next] : -1;
}

int read_byte(Interp& in, Port* port) {
  const int byte = peek_byte(in, port);
  if (byte >= 0) ++port->next;
  return byte;
}

char32_t peek_char(Interp& in, Port* port) {
  if (!fill_char(in, port)) return kNoChar;
  const auto* bytes = reinterpret_cast<const char*>(buffer_of(in, port).bytes);
  std::size_t at = port->next;
  return decode_utf8({bytes, port->end}, at);
}

char32_t read_char(Interp& in, Port* port) {
  if (!fill_char(in, port)) return kNoChar;
  const auto* bytes = reinterpret_cast<const char*>(buffer_of(in, port).bytes);
  std::size_t at = port->next;
  const char32_t c = decode_utf8({bytes, port->end}, at);
  port->next = static_cast<std::uint32_t>(at);
  ++port->column;
  if (c == U'\n') {
    ++port->line;
    port->column = 1;
  }
  return c;
}

bool rewind(Port* port) noexcept {
  const bool is_memory = (port->flags & kMemoryPort) != 0;
  if (!is_memory && lseek(port->descriptor, 0, SEEK_SET) != 0) return false;
  port->next = 0;
  if (!is_memory) port->end = 0;
  port->flags &= ~std::uint32_t{kAtEndPort | kFoldCasePort};
  port->line = port->column = 1;
  return true;
}

bool is_ready(Port* port) {
  if (port->next < port->end || (port->flags & (kMemoryPort | kAtEndPort)) != 0) return true;
  pollfd poll_of{port->descriptor, POLLIN, 0};
  return poll(&poll_of, 1, 0) != 0;
}

void write_bytes(Interp& in, Port* port, std::string_view bytes) {
  Buffer buffer = buffer_of(in, port);
  if (bytes.size() > buffer.size - port->end) {
    if ((port->flags & kMemoryPort) == 0) {
      flush(in, port);
      if (bytes.size() >= buffer.size) return write_out(in, port, bytes.data(), bytes.size());
    } else {
      const std::uint64_t wanted =
          std::max<std::uint64_t>(buffer.size * std::uint64_t{2}, port->end + bytes.size());
      const Value grown = in.make_bytevector(wanted);
      std::memcpy(in.at<Bytevector>(grown)->bytes(), buffer.bytes, port->end);
      port->buffer.set(grown);
      buffer = buffer_of(in, port);
    }
  }
  if (bytes.empty()) return;
  std::memcpy(buffer.bytes + port->end, bytes.data(), bytes.size());
  port->end += static_cast<std::uint32_t>(bytes.size());
  const bool ends_line = bytes.find('\n') != std::string_view::npos;
  port->column = bytes.back() == '\n' ? 1 : port->column + static_cast<std::uint32_t>(bytes.size());
  if ((port->flags & kTerminalPort) != 0 && ends_line) flush(in, port);
}

void flush(Interp& in, Port* port) {
  if ((port->flags & (kMemoryPort | kInputPort)) != 0) return;
  const std::uint32_t count = std::exchange(port->end, 0);
  write_out(in, port, reinterpret_cast<const char*>(buffer_of(in, port).bytes), count);
}

void close_port(Interp& in, Port* port) {
  if ((port->flags & kOpenPort) == 0) return;
  if ((port->flags & kOutputPort) != 0) flush(in, port);
  close_descriptor(in, port);
}

namespace {

void flush_quietly(Port* port) noexcept {
  const auto* bytes = reinterpret_cast<const char*>(port->own_buffer());
  for (std::uint32_t at = 0; at < port->end;) {
    const ssize_t written = write(port->descriptor, bytes + at, port->end - at);
    if (written < 0 && errno != EINTR) break;
    if (written > 0) at += static_cast<std::uint32_t>(written);
  }
  port->end = 0;
}

}  // namespace

void release_port(Interp& in, Port* port) noexcept {
  if ((port->flags & (kOpenPort | kMemoryPort)) != kOpenPort) return;
  if ((port->flags & kOutputPort) != 0) flush_quietly(port);
  close_descriptor(in, port);
}

void flush_all(Interp& in) noexcept {
  for (const std::uint32_t port : in.outputs) flush_quietly(in.at<Port>(Value::from_bits(port)));
}

Value current_output(Interp& in) { return in.at<Parameter>(in.registers.output)->value.get(); }

}  // namespace scheme
