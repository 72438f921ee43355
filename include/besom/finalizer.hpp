#pragma once

namespace besom {

class Heap;

/// Called by Heap::run_finalizers() with an agent whose object was found dead. It runs outside any
/// collection, with the agent as a local root: it may allocate, which may collect, and may store
/// the agent anywhere, which brings it back to life. Locals that it makes end with it.
/// Heap::collect() from within takes place when it has returned. What it throws is caught and
/// counted. It may be left by longjmp: see Heap::recover().
using FinalizerCallback = void (*)(void* user, Heap& heap, void* agent);

namespace detail {

/// Calls a finalizer; false when it threw.
using FinalizerRunner = bool (*)(FinalizerCallback callback, void* user, Heap& heap, void* agent);

// Not one function for programs with exceptions and without: they may meet in one executable.
#ifdef __cpp_exceptions
inline bool run_catching(FinalizerCallback callback, void* user, Heap& heap, void* agent) {
  try {
    callback(user, heap, agent);
    return true;
  } catch (...) {
    return false;
  }
}
#endif
inline bool run_plainly(FinalizerCallback callback, void* user, Heap& heap, void* agent) {
  callback(user, heap, agent);
  return true;
}

}  // namespace detail
}  // namespace besom
