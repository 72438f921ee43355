// Two heaps at work on two threads at once, and a third that goes from thread to thread.
//
// Each thread has a heap of its own, in which it interns words: a table on the host's side finds
// the one object of each word without keeping it alive, and a mark hook takes out what died. A
// third heap carries a ledger: whoever has it adds entries and hands it on, a hundred times.
//
// To learn from: attach_thread(), mark hooks, external bytes, NoCollectScope and safepoints, a
// census, the path that keeps an object alive, and what error a foreign thread gets.
#include <algorithm>
#include <besom/besom.hpp>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "common/program.hpp"
#include "common/random.hpp"

using besom::ByteArray;
using besom::Handle;
using besom::Heap;
using besom::MarkView;
using besom::Member;
using besom::NoCollectScope;
using besom::Ref;
using besom::Type;
using example::expect;
using example::Random;
using example::require;

namespace {

/// A word that exists once. The text lies outside of the heap, as a host's own string would.
struct Word {
  besom::Header header;
  std::uint32_t number;
  std::uint32_t unused;

  static besom::TypeDescriptor type() { return {.name = "Word", .size = sizeof(Word)}; }
};

/// The words that are in use, newest first.
struct Use {
  besom::Header header;
  Member<Word> word;
  Member<Use> before;

  static besom::TypeDescriptor type() {
    return {.name = "Use",
            .size = sizeof(Use),
            .fields = {{"word", offsetof(Use, word)}, {"before", offsetof(Use, before)}}};
  }
};

/// Interns words in a heap, on whatever thread calls it.
class Interner {
 public:
  explicit Interner(Heap& heap)
      : heap_(heap),
        word_(require(heap.define<Word>())),
        hook_(require(heap.add_mark_hook(drop_dead, this, "interned words"), heap)) {}

  /// The one object of the word. Safe until the next allocation, like any new object.
  [[nodiscard]] Word* intern(std::uint32_t number) {
    const auto found = words_.find(number);
    if (found != words_.end()) return heap_.get(found->second.ref);
    Word* word = require(heap_.allocate(word_), heap_);
    word->number = number;
    std::string text = "word number " + std::to_string(number) + std::string(1000, '.');
    expect(!heap_.add_external(text.size()), "the heap counts the text");
    words_.emplace(number, Entry{Ref<Word>(word), std::move(text)});
    return word;
  }
  [[nodiscard]] std::size_t size() const { return words_.size(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Entry {
    Ref<Word> ref;
    std::string text;
  };

  static void drop_dead(void* user, const MarkView& marks) {
    auto& self = *static_cast<Interner*>(user);
    self.dropped_ += std::erase_if(self.words_, [&](const auto& entry) {
      if (marks.is_marked(entry.second.ref)) return false;
      // A hook may not allocate, but may take away what it frees.
      static_cast<void>(self.heap_.remove_external(entry.second.text.size()));
      return true;
    });
  }

  Heap& heap_;
  Type<Word> word_;
  std::unordered_map<std::uint32_t, Entry> words_;
  std::uint64_t dropped_ = 0;
  besom::MarkHookRegistration hook_;  ///< Goes before the table that it works on.
};

/// What one thread does in its own heap.
struct Result {
  std::uint64_t live_words = 0;
  std::uint64_t dropped = 0;
  std::uint64_t collections = 0;
  std::string census;
  std::string path;
};

Result work(Heap& heap, std::uint64_t seed, std::uint64_t steps) {
  Interner interner(heap);
  const Type<Use> use = require(heap.define<Use>());
  Handle<Use> uses = require(heap.make(use, 0, "uses"), heap);
  Random random(seed);
  std::uint32_t kept = 1;
  for (std::uint64_t step = 0; step < steps; ++step) {
    // Here everything that is to stay hangs from the handle; inside the scope it does not.
    expect(!heap.safepoint(), "a collection cannot fail");
    {
      // Both objects may be new: the first needs no root while the second is made.
      const NoCollectScope scope(heap);
      Word* word = interner.intern(random.below(5000));
      Use* next = require(heap.allocate(use), heap);
      next->word = word;
      next->before = uses.get();
      uses.set(next);
    }
    if (++kept == 300) {
      uses->before = nullptr;
      kept = 1;
    }
  }
  expect(!heap.collect(), "a collection cannot fail");
  Result result;
  const besom::Census census = require(besom::census(heap));
  for (const besom::CensusRow& row : census.rows()) {
    if (row.name() == std::string("Word")) result.live_words = row.objects;
  }
  expect(result.live_words == interner.size(), "the table holds the live words and no others");
  expect(besom::verify(heap).ok(), "the heap is sound");
  result.census = census.message();
  result.path = require(besom::path_to_root(heap, uses->word.ref())).message();
  result.dropped = interner.dropped();
  result.collections = heap.stats().collections;
  return result;
}

/// A list that whoever has the heap adds to.
struct Entry {
  besom::Header header;
  std::uint32_t number;
  std::uint32_t thread;
  Member<Entry> before;

  static besom::TypeDescriptor type() {
    return {
        .name = "Entry", .size = sizeof(Entry), .fields = {{"before", offsetof(Entry, before)}}};
  }
};

/// Hands the ledger's heap to and fro between two threads.
class Ledger {
 public:
  Ledger(Heap& heap, std::uint32_t turns)
      : heap_(heap), turns_(turns), type_(require(heap.define<Entry>())) {}

  /// What thread 0 or 1 does: its turns, when they come.
  void take_turns(std::uint32_t thread) {
    for (std::uint32_t turn = thread; turn < turns_; turn += 2) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return turn_ == turn || failed_; });
      if (failed_) return;
      take_turn(thread);
      ++turn_;
      changed_.notify_all();
    }
  }
  /// When the other thread shall not wait for a turn that does not come.
  void fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
  }

  /// Counts the entries; both threads have ended.
  [[nodiscard]] std::uint32_t close(example::Program& program) {
    expect(!heap_.attach_thread(), "the heap comes home");
    program.snapshot(heap_);
    expect(!heap_.collect(), "a collection cannot fail");
    std::uint32_t count = 0;
    for (const Entry* entry = entries_.get(); entry != nullptr; entry = entry->before.get()) {
      ++count;
      expect(entry->number == turns_ * kEntries - count, "every entry is there, in its order");
      expect(entry->thread == entry->number / kEntries % 2,
             "and from the thread whose turn it was");
    }
    expect(heap_.last_collection().live_objects == count, "and nothing else is");
    entries_.reset();
    return count;
  }

 private:
  static constexpr std::uint32_t kEntries = 100;

  void take_turn(std::uint32_t thread) {
    if (turn_ != 0) {
      // It is still the other's.
      expect(heap_.collect().code == besom::Errc::wrong_thread, "a foreign thread is refused");
    }
    expect(!heap_.attach_thread(), "a heap is handed over between calls");
    for (std::uint32_t i = 0; i < kEntries; ++i) {
      Entry* entry = require(heap_.allocate(type_), heap_);
      entry->number = turn_ * kEntries + i;
      entry->thread = thread;
      entry->before = entries_.get();
      if (entries_) {
        entries_.set(entry);
      } else {
        entries_ = require(Handle<Entry>(heap_, entry, "ledger"), heap_);
      }
    }
  }

  Heap& heap_;
  std::uint32_t turns_;
  Type<Entry> type_;
  Handle<Entry> entries_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint32_t turn_ = 0;
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t steps = 500'000;
  std::uint64_t turns = 100;
  example::Program program("two_heaps", "Heaps on two threads, and one that is handed over.");
  program.option("steps", "Words that each thread uses", steps, 1, 1'000'000'000);
  program.option("turns", "Turns that the ledger's heap is handed over for", turns, 2, 4'000'000);

  return program.run(argc, argv, [&](Heap& ledger_heap) {
    Ledger ledger(ledger_heap, static_cast<std::uint32_t>(turns));
    Result results[2];
    std::exception_ptr failures[2];
    const auto run = [&](std::uint32_t thread) {
      try {
        const std::unique_ptr<Heap> own = require(Heap::create(ledger_heap.options()));
        results[thread] = work(*own, program.seed() + thread, steps);
        ledger.take_turns(thread);
      } catch (...) {
        failures[thread] = std::current_exception();
        ledger.fail();
      }
    };
    std::thread threads[2] = {std::thread(run, 0), std::thread(run, 1)};
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& failure : failures) {
      if (failure == nullptr) continue;
      expect(!ledger_heap.attach_thread(), "the heap comes home");
      std::rethrow_exception(failure);
    }
    const std::uint32_t entries = ledger.close(program);

    for (int i = 0; i < 2; ++i) {
      std::cout << "thread " << i << ": " << example::count_text(results[i].live_words, "word")
                << " live, " << results[i].dropped << " dropped in "
                << example::count_text(results[i].collections, "collection") << '\n'
                << results[i].census << "  a word lives by " << results[i].path << '\n';
      expect(results[i].dropped > 0, "words died and the hook was told");
    }
    std::cout << "ledger: " << example::count_text(entries, "entry", "entries") << " after "
              << example::count_text(turns, "turn") << '\n';
    program.did(2 * steps, "words");
  });
}
