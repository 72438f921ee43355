#pragma once

#include <ucontext.h>

#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "tests/support/death.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define BESOM_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BESOM_TEST_ASAN 1
#endif
#endif
#ifdef BESOM_TEST_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace besom::test {

/// A function on a native stack of its own, and the fiber that a heap knows it as.
class Coroutine {
 public:
  using Body = std::function<void(Coroutine&)>;
  enum class Scan : bool { no, yes };

  Coroutine(Heap& heap, Scan scan, Body body)
      : heap_(heap),
        stack_(std::make_unique<char[]>(kStackBytes)),
        fiber(scan == Scan::yes ? Fiber(heap, stack_.get(), kStackBytes) : Fiber(heap)),
        body_(std::move(body)) {
    getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack_.get();
    inside_.uc_stack.ss_size = kStackBytes;
    inside_.uc_link = &outside_;
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&inside_, reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self));
  }

  /// Goes in, where the body began or left off; returns when it leaves or ends.
  Error resume() {
    return heap_.switch_to(&fiber, [this] { enter_unannounced(); });
  }
  /// For the body.
  Error leave() {
    return heap_.switch_to(nullptr, [this] { leave_unannounced(); });
  }
  /// The same two behind the heap's back.
  void enter_unannounced() {
    void* kept = start_switch(stack_.get(), kStackBytes);
    swapcontext(&outside_, &inside_);
    finish_switch(kept);
  }
  void leave_unannounced() {
    void* kept = start_switch(outside_low_, outside_bytes_);
    swapcontext(&inside_, &outside_);
    finish_switch(kept, &outside_low_, &outside_bytes_);
  }

  bool has_ended = false;

 private:
  static constexpr std::size_t kStackBytes = std::size_t{256} << 10;

  static void enter(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<Coroutine*>(std::uintptr_t{high} << 32 | low);
    self->finish_switch(nullptr, &self->outside_low_, &self->outside_bytes_);
    self->body_(*self);
    self->has_ended = true;
    static_cast<void>(self->leave());
  }
  static void* start_switch([[maybe_unused]] const void* low, [[maybe_unused]] std::size_t bytes) {
    void* kept = nullptr;
#ifdef BESOM_TEST_ASAN
    __sanitizer_start_switch_fiber(&kept, low, bytes);
#endif
    return kept;
  }
  static void finish_switch([[maybe_unused]] void* kept,
                            [[maybe_unused]] const void** low = nullptr,
                            [[maybe_unused]] std::size_t* bytes = nullptr) {
#ifdef BESOM_TEST_ASAN
    __sanitizer_finish_switch_fiber(kept, low, bytes);
#endif
  }

  Heap& heap_;
  std::unique_ptr<char[]> stack_;

 public:
  Fiber fiber;

 private:
  Body body_;
  ucontext_t inside_ = {};
  ucontext_t outside_ = {};
  const void* outside_low_ = nullptr;
  std::size_t outside_bytes_ = 0;
};

}  // namespace besom::test
