// A list ten million cells deep, made, collected and cut on a native stack of 64 KiB.
//
// A collector that follows refs by recursion needs a stack frame for each cell here and dies, the
// list being too deep for any stack. Besom's keeps its work in a table of its own. To see that the
// stack really ends: --recurse counts the cells by recursion, which faults at its guard page.
#include <pthread.h>
#include <sys/mman.h>

#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>

#include "common/program.hpp"
#include "common/progress.hpp"

using besom::Handle;
using besom::Heap;
using besom::Type;
using example::expect;
using example::require;

namespace {

struct Cell {
  besom::Header header;
  besom::Member<Cell> next;
  std::uint32_t number;

  static besom::TypeDescriptor type() {
    return {.name = "Cell", .size = sizeof(Cell), .fields = {{"next", offsetof(Cell, next)}}};
  }
};
static_assert(sizeof(Cell) == 16);

/// Memory for a thread's stack, with no memory below it: whoever needs more faults.
///
///   | guard, no access | stack, grows downwards |
class SmallStack {
 public:
  SmallStack() {
    void* mapping = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw example::Stop{example::kFailed, "no memory for a stack"};
    guard_ = static_cast<unsigned char*>(mapping);
    std::memset(stack(), kUntouched, kStackBytes);
    if (mprotect(guard_, kGuardBytes, PROT_NONE) != 0) {
      throw example::Stop{example::kFailed, "no guard below the stack"};
    }
  }
  ~SmallStack() { munmap(guard_, kGuardBytes + kStackBytes); }
  SmallStack(const SmallStack&) = delete;
  SmallStack& operator=(const SmallStack&) = delete;

  /// Runs `work` on a thread with this stack and waits for it; what it throws is thrown here.
  void run(std::function<void()> work) {
    Job job{std::move(work), nullptr};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_t thread;
    // pthread_attr_setstacksize() alone would not do: the C library may give more than was asked.
    const bool started = pthread_attr_setstack(&attributes, stack(), kStackBytes) == 0 &&
                         pthread_create(&thread, &attributes, &start, &job) == 0;
    pthread_attr_destroy(&attributes);
    if (!started) throw example::Stop{example::kFailed, "no thread on a stack of 64 KiB"};
    pthread_join(thread, nullptr);
    if (job.thrown) std::rethrow_exception(job.thrown);
  }

  /// From the lowest byte that was written to the top, the thread's own book-keeping included.
  [[nodiscard]] std::size_t used_bytes() const {
    std::size_t untouched = 0;
    while (untouched < kStackBytes && stack()[untouched] == kUntouched) ++untouched;
    return kStackBytes - untouched;
  }

  static constexpr std::size_t kStackBytes = 64 << 10;

 private:
  static constexpr std::size_t kGuardBytes = 1 << 20;  ///< So that no large frame leaps over it.
  static constexpr unsigned char kUntouched = 0xa5;

  struct Job {
    std::function<void()> work;
    std::exception_ptr thrown;
  };
  static void* start(void* argument) {
    Job& job = *static_cast<Job*>(argument);
    try {
      job.work();
    } catch (...) {
      job.thrown = std::current_exception();
    }
    return nullptr;
  }
  [[nodiscard]] unsigned char* stack() const { return guard_ + kGuardBytes; }

  unsigned char* guard_;
};

/// Cells numbered from `length` down to 1. Each new cell is the list's first, so one root does.
void build(Heap& heap, Type<Cell> type, std::uint64_t length, Handle<Cell>& list) {
  example::Progress progress("linked_list", length);
  for (std::uint64_t i = 1; i <= length; ++i) {
    Cell* cell = require(heap.allocate(type), heap);
    cell->number = static_cast<std::uint32_t>(i);
    cell->next = list.get();
    list.set(cell);
    if (i % 65536 == 0) progress.at(i);
  }
}

/// Checks the numbers from `length` downwards; returns the cell numbered `length - steps`.
Cell* walk(Cell* cell, std::uint64_t length, std::uint64_t steps) {
  for (std::uint64_t i = 0; i < steps; ++i) {
    expect(cell != nullptr && cell->number == length - i, "every cell is in its place");
    cell = cell->next.get();
  }
  return cell;
}

// NOLINTNEXTLINE(misc-no-recursion): which is the point
std::uint64_t count_by_recursion(const Cell* cell) {
  volatile std::uint64_t one = 1;  // Keeps the compiler from making a loop of it.
  return cell == nullptr ? 0 : count_by_recursion(cell->next.get()) + one;
}

void collect(Heap& heap, std::uint64_t expected, const char* what) {
  expect(!heap.collect(), "a collection cannot fail");
  const besom::CollectionStats& stats = heap.last_collection();
  std::cout << what << ": " << example::count_text(stats.live_objects, "live cell")
            << ", collected in " << static_cast<double>(stats.pause_ns / 10000) / 100 << " ms\n";
  expect(stats.live_objects == expected, "exactly what is reachable lives");
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t length = 10'000'000;
  bool recurse = false;
  example::Program program("linked_list", "A long list, collected on a native stack of 64 KiB.");
  program.option("length", "Cells in the list", length, 2, 200'000'000);
  program.flag("recurse", "Count the cells by recursion, to see it overflow the stack", recurse);

  return program.run(argc, argv, [&](Heap& heap) {
    const Type<Cell> type = require(heap.define<Cell>());
    SmallStack stack;
    stack.run([&] {
      // A heap is used by one thread at a time; it is this one's turn.
      expect(!heap.attach_thread(), "a heap is handed over between calls");
      Handle<Cell> list = require(heap.make(type, 0, "list"), heap);
      list.set(nullptr);
      build(heap, type, length, list);
      if (recurse)
        std::cout << example::count_text(count_by_recursion(list.get()), "cell")
                  << " by recursion\n";
      collect(heap, length, "whole");
      program.snapshot(heap);

      const std::uint64_t half = length / 2;
      Cell* middle = walk(list.get(), length, half - 1);
      middle->next = nullptr;
      collect(heap, half, "cut in the middle");
      walk(list.get(), length, half);

      list.reset();
      collect(heap, 0, "dropped");
    });
    expect(!heap.attach_thread(), "a heap is handed over between calls");
    program.did(length, "cells");
    std::cout << "native stack used: " << example::bytes_text(stack.used_bytes()) << " of "
              << example::bytes_text(SmallStack::kStackBytes) << '\n';
  });
}
