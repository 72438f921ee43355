#pragma once

#ifdef __cpp_exceptions

#include <exception>
#include <utility>

#include "besom/type.hpp"

namespace besom {

/// Carries a C++ exception past the library, which has no unwinding: an exception that left a
/// callback would end in std::terminate. The embedder's callbacks run their bodies in here, and the
/// exception is thrown on when the call into the heap has returned:
///
///     void trace(const void* object, std::uint32_t size, besom::Tracer& tracer) {
///       carrier.run(tracer, [&] { visit_fields(object, tracer); });
///     }
///     ...
///     heap.collect();     // abandoned, if the body threw
///     carrier.rethrow();
///
/// Only in programs that are compiled with exceptions. Not thread-safe.
class ExceptionCarrier {
 public:
  /// Runs `body`. What it throws is kept and the collection abandoned; the first exception is kept
  /// of several.
  template <class Body>
  void run(Tracer& tracer, Body&& body) noexcept {
    if (!run(std::forward<Body>(body))) tracer.abandon();
  }
  /// The same for listeners and hooks, which have nothing to abandon. False if `body` threw.
  template <class Body>
  bool run(Body&& body) noexcept {
    try {
      std::forward<Body>(body)();
      return true;
    } catch (...) {
      if (caught_ == nullptr) caught_ = std::current_exception();
      return false;
    }
  }
  /// Whether an exception waits for rethrow().
  [[nodiscard]] bool has_caught() const noexcept { return caught_ != nullptr; }
  /// Throws what was caught, once; else does nothing.
  void rethrow() {
    if (caught_ != nullptr) std::rethrow_exception(std::exchange(caught_, nullptr));
  }

 private:
  std::exception_ptr caught_;
};

}  // namespace besom

#endif
