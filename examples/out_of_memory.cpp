// Runs into the heap's limit again and again, and goes on: a refused allocation is a null pointer
// and an error with figures, and the heap is as it was. What to give up is the program's to decide.
#include <besom/besom.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iostream>

#include "common/program.hpp"
#include "common/random.hpp"

using besom::ByteArray;
using besom::Errc;
using besom::Handle;
using besom::Heap;
using besom::Type;
using example::bytes_text;
using example::expect;
using example::require;

namespace {

/// Documents that an editor keeps open, the oldest first. Each handle is a root.
using Documents = std::deque<Handle<ByteArray>>;

unsigned char byte_for(std::uint32_t length) { return static_cast<unsigned char>(length % 251); }

/// An empty handle when the heap has no room.
Handle<ByteArray> open_document(Heap& heap, Type<ByteArray> type, std::uint32_t length) {
  Handle<ByteArray> document = heap.make(type, length, "document");
  if (document) std::memset(document->data(), byte_for(length), length);
  return document;
}

bool is_unaltered(ByteArray& document) {
  const unsigned char expected = byte_for(document.length());
  for (std::uint32_t i = 0; i < document.length(); ++i) {
    if (document.data()[i] != expected) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t times = 5;
  bool stubborn = false;
  example::Program program("out_of_memory", "Runs into the heap's limit, recovers and goes on.",
                           {.heap_max = 64 << 20});
  program.option("times", "How often to run into the limit", times, 1, 1'000'000);
  program.flag("stubborn", "Give nothing up: end with exit code 71 at the first refusal", stubborn);

  return program.run(argc, argv, [&](Heap& heap) {
    const Type<ByteArray> type = require(heap.define<ByteArray>());
    example::Random random(program.seed());
    const std::uint64_t heap_max = heap.options().heap_max;
    Documents documents;

    // An object that could never fit is refused at once: no collection is spent on it.
    if (heap_max < besom::HeapOptions::kMaxHeap) {
      const std::uint64_t collections = heap.stats().collections;
      expect(heap.allocate(type, static_cast<std::uint32_t>(heap_max)) == nullptr, "too large");
      std::cout << "too large:  " << heap.error().message() << '\n';
      expect(heap.error().code == Errc::object_too_large, "told apart from a full heap");
      expect(heap.stats().collections == collections, "refused without a collection");
    }

    for (std::uint64_t time = 1; time <= times;) {
      // From 1 KiB to a 64th of the heap.
      const auto span = static_cast<std::uint32_t>(heap_max / 64);
      const std::uint32_t length = 1024 + random.below(span > 1024 ? span - 1024 : 1);
      Handle<ByteArray> document = open_document(heap, type, length);
      if (!document && stubborn) example::stop(heap.error());
      if (document) {
        documents.push_back(std::move(document));
        program.did(1, "documents");
        continue;
      }

      // The heap has collected and grown as far as it may before it refused.
      const besom::Error error = heap.error();
      std::cout << "refused:    " << error.message() << '\n';
      program.snapshot(heap);
      expect(error.code == Errc::heap_limit && error.limit == heap_max, "the limit is the reason");
      expect(error.bytes >= length, "the error says how much is needed");
      for (const Handle<ByteArray>& open : documents) {
        expect(is_unaltered(*open), "a refusal leaves the heap as it was");
      }

      const std::size_t before = documents.size();
      documents.erase(documents.begin(),
                      documents.begin() + static_cast<std::ptrdiff_t>((before + 1) / 2));
      documents.push_back(require(open_document(heap, type, length), heap));
      std::cout << "recovered:  closed " << before - documents.size() + 1 << " of " << before
                << " documents, and the one of " << bytes_text(length) << " fits\n";
      ++time;
    }
  });
}
