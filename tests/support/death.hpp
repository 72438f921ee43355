#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace besom::test {

/// How a child process ended that ran a piece of a test.
struct Death {
  bool aborted = false;  ///< By abort(), and by nothing else.
  int wait_status = 0;   ///< As from waitpid().
  std::string message;   ///< All it wrote to stderr.

  [[nodiscard]] bool says(const std::string& text) const {
    return message.find(text) != std::string::npos;
  }
  /// One line for a failed test.
  [[nodiscard]] std::string describe() const;
};

/// Runs `body` in a forked child and waits for it. A body that returns, throws or dies of another
/// signal has not aborted. The child leaves no core file and runs no exit handlers, so that
/// sanitizers and the test's own reporter stay silent about it.
[[nodiscard]] Death death_of(const std::function<void()>& body);

/// For the child of a death test: what the process maps may grow by `more` bytes, then malloc
/// fails. A sanitizer's shadow memory breaks any such limit.
void limit_address_space(std::size_t more);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kUnderSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kUnderSanitizer = true;
#else
inline constexpr bool kUnderSanitizer = false;
#endif
#else
inline constexpr bool kUnderSanitizer = false;
#endif

}  // namespace besom::test

/// Checks that `statement` aborts and that its message contains `text`.
#define CHECK_ABORTS(statement, text)                                     \
  do {                                                                    \
    const ::besom::test::Death death_ =                                   \
        ::besom::test::death_of([&] { static_cast<void>(statement); });   \
    INFO(#statement ": " << death_.describe() << "; wanted: " << (text)); \
    CHECK((death_.aborted && death_.says(text)));                         \
  } while (false)
