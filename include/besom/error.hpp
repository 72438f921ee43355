#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "besom/detail/check.hpp"
#include "besom/detail/export.h"

namespace besom {

/// What can fail. Each call's comment says which of these it fails with.
enum class Errc : std::uint8_t {
  ok,
  reserve_failed,      ///< The system refused address space; nothing was created.
  commit_failed,       ///< The system refused memory while growing; a later try may succeed.
  heap_limit,          ///< HeapOptions::heap_max is full of live objects.
  object_too_large,    ///< No heap of these options could ever hold it; `limit` bytes it could.
  out_of_host_memory,  ///< malloc or a side table's mapping failed.
  bad_ref,             ///< Not the start of a live object, or of another type.
  bad_type,            ///< A descriptor that contradicts itself, or an id of no type here.
  bad_option,          ///< A setting that makes no sense; `detail` names it.
  stale_handle,        ///< Used after its scope, after release, or after its heap.
  wrong_heap,          ///< A handle of another heap.
  wrong_thread,        ///< A second thread uses the heap.
  reentrant,           ///< Called from inside a collection.
  unbalanced,          ///< More was given back than had been taken.
  no_collect,          ///< Collections are forbidden: see Heap::forbid_collections().
  abandoned,           ///< A callback gave the collection up; nothing was freed.
  write_failed,        ///< A sink, or the system for a file, did not take what was written.
  bad_argument,        ///< A null pointer where something is needed; `detail` names it.
};

/// The name of the code as it stands in the enumeration, e.g. "heap_limit".
[[nodiscard]] BESOM_API const char* name_of(Errc code) noexcept;

namespace detail {

/// What `value` writes as its message, in a string. Compiled into the caller: the library knows no
/// exceptions, and a string throws where there is no memory for it.
template <class T>
[[nodiscard]] std::string message_of(const T& value) {
  std::string text(value.write_message(nullptr, 0), '\0');
  static_cast<void>(value.write_message(text.data(), text.size() + 1));
  return text;
}

}  // namespace detail

/// What failed, with the figures that a message needs. Unused figures are 0.
struct BESOM_API Error {
  Errc code = Errc::ok;  ///< ok: nothing failed.
  int system_errno = 0;  ///< errno of the refused system call.
  /// Bytes asked for. Of what is wrong rather than too much: the number that it is.
  std::uint64_t bytes = 0;
  std::uint64_t limit = 0;       ///< The limit that was met, or what the number is held against.
  const char* detail = nullptr;  ///< Static text: which setting, which limit.
  std::uint64_t used = 0;        ///< Bytes in objects when a heap was full.
  /// What the caller's own text called the thing, such as a key that no setting has, or ""
  /// where there is no such text. A longer name is cut and ends in "...". Bytes that do not print
  /// are '?'.
  char name[24] = "";

  /// Whether anything failed.
  explicit operator bool() const noexcept { return code != Errc::ok; }
  /// The same error with `text` as its name.
  [[nodiscard]] Error named(std::string_view text) const noexcept;
  /// One line without newline, e.g. "heap_limit: 32 bytes needed, 67108848 of 67108864 bytes in use
  /// (heap_max)".
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`, cut to `size` bytes with its zero. Allocates nothing. Returns the
  /// length of the whole line, as snprintf does. So for every `write_message` of this library; each
  /// `message` is a string of the same text, and throws as strings do.
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;
};

/// A value or the error that stands in its place. Taking the value of a failed result aborts.
template <class T>
class [[nodiscard]] Result {
 public:
  /// @{
  /// Converts from either, so that a function can return a value or an error as it is.
  Result(T value) : value_(std::move(value)) {}
  Result(const Error& error) : error_(error) {}
  /// @}

  /// Whether there is a value.
  [[nodiscard]] explicit operator bool() const noexcept { return value_.has_value(); }
  /// With code ok where there is a value.
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  /// @{
  /// The value. Aborts where there is none, and names the error's code and bytes.
  [[nodiscard]] T& operator*() & { return checked(*this); }
  [[nodiscard]] const T& operator*() const& { return checked(*this); }
  [[nodiscard]] T&& operator*() && { return std::move(checked(*this)); }
  [[nodiscard]] T* operator->() { return &checked(*this); }
  [[nodiscard]] const T* operator->() const { return &checked(*this); }
  /// @}

 private:
  template <class Self>
  [[nodiscard]] static auto& checked(Self& self) {
    BESOM_CHECK(self.value_.has_value(), "value of a failed result: code, bytes", self.error_.code,
                self.error_.bytes);
    return *self.value_;
  }

  std::optional<T> value_;
  Error error_;
};

}  // namespace besom
