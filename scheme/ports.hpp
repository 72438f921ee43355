#pragma once

#include <string>
#include <string_view>

#include "objects.hpp"

namespace scheme {

class Interp;

constexpr char32_t kNoChar = 0xffffffff;  ///< The end of the input.

/// A port over bytes in the heap. Output goes to a buffer that grows.
[[nodiscard]] Value memory_port(Interp& in, std::uint32_t flags, std::string_view bytes = {},
                                Value name = kFalse);
/// A port over an open file; closing the port closes it, unless it is one of the standard three.
[[nodiscard]] Value descriptor_port(Interp& in, std::uint32_t flags, int descriptor, Value name);
/// Raises a file error.
[[nodiscard]] Value open_file(Interp& in, std::string_view path, std::uint32_t flags);

[[nodiscard]] Port* port_of(Interp& in, Value value, std::uint32_t flags, const char* who);

// Reading. All raise an error when the system does.
[[nodiscard]] int peek_byte(Interp& in, Port* port);  ///< -1: the end.
[[nodiscard]] int read_byte(Interp& in, Port* port);
[[nodiscard]] char32_t peek_char(Interp& in, Port* port);
char32_t read_char(Interp& in, Port* port);
/// To the beginning; false for what is no file and no memory.
[[nodiscard]] bool rewind(Port* port) noexcept;
/// Whether reading would not wait.
[[nodiscard]] bool is_ready(Port* port);

/// `port` is reachable by the collector.
void write_bytes(Interp& in, Port* port, std::string_view bytes);
void flush(Interp& in, Port* port);
void close_port(Interp& in, Port* port);
/// All that was written is with the system; failures are not reported any more.
void flush_all(Interp& in) noexcept;
/// A port that is about to be freed: what was written to it gets out, and its file is closed.
void release_port(Interp& in, Port* port) noexcept;

[[nodiscard]] Value current_output(Interp& in);

}  // namespace scheme
