#include "besom/detail/root_gate.hpp"

namespace besom::detail {

const void* this_thread() noexcept {
  static thread_local const char token = 0;
  return &token;
}

Errc RootGate::refusal() const noexcept {
  if (thread != this_thread()) return Errc::wrong_thread;
  return is_locked() ? Errc::reentrant : Errc::ok;
}

}  // namespace besom::detail
