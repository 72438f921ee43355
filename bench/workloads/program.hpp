#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

/// What the workload programs share: arguments, the clock, and the one line that compare reads.
namespace bench {

/// Argument `i` as it stands.
[[nodiscard]] inline const char* word(int argc, char** argv, int i, const char* usage) {
  if (i >= argc) {
    std::fprintf(stderr, "usage: %s %s\n", argv[0], usage);
    std::exit(64);
  }
  return argv[i];
}

/// Argument `i` as a number; K, M and G multiply by powers of 1024.
[[nodiscard]] inline std::uint64_t argument(int argc, char** argv, int i, const char* usage) {
  char* end = nullptr;
  const std::uint64_t number = std::strtoull(word(argc, argv, i, usage), &end, 10);
  switch (*end) {
    case 'G':
      return number << 30;
    case 'M':
      return number << 20;
    case 'K':
      return number << 10;
    default:
      return number;
  }
}

/// CPU time of this process in nanoseconds.
[[nodiscard]] inline double cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// Makes the compiler believe that `object` is used, so that it is really allocated.
template <class T>
void keep(T* object) {
  asm volatile("" : : "r"(object) : "memory");
}

struct Outcome {
  std::uint64_t check = 0;          ///< The same for every peer, whatever it refuses.
  std::uint64_t objects = 0;        ///< Allocated in all.
  std::uint64_t live_bytes = 0;     ///< At the end, in granules of 16 bytes; 0: not asked for.
  std::uint64_t refused = 0;        ///< Requests that the heap did not meet.
  std::uint32_t least_refused = 0;  ///< Bytes of the smallest of these.
  double ns_each = 0;               ///< Of what the workload counts; 0: the whole program counts.
};

template <class Heap>
void report(const Heap& heap, const Outcome& outcome) {
  std::printf(
      "check=%" PRIu64 " objects=%" PRIu64 " live_bytes=%" PRIu64 " refused=%" PRIu64
      " least_refused=%" PRIu32 " ns_each=%.3f cpu_ms=%.1f collections=%" PRIu64 " pause_ms=%.1f\n",
      outcome.check, outcome.objects, outcome.live_bytes, outcome.refused, outcome.least_refused,
      outcome.ns_each, cpu_ns() * 1e-6, heap.collections(), heap.pause_ms());
}

}  // namespace bench
