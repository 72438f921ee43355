// Files that are closed when nobody refers to them any more.
//
// A guardian hands out what has died, and the program closes it where it suits: no code of the
// program runs inside a collection. A second guardian brings a file back to life. What is still
// open at the end is handed out before the heap goes. Beside it, a buffer outside the heap is freed
// by its type's release hook, which needs no attention at all.
#include <algorithm>
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <utility>
#include <vector>

#include "common/program.hpp"
#include "common/random.hpp"

using besom::Guardian;
using besom::Handle;
using besom::Heap;
using besom::Member;
using besom::Type;
using example::expect;
using example::require;
using example::stop;

namespace {

/// An open file of the host's; the object has its number in a table of the program's.
struct File {
  besom::Header header;
  Member<File> beside;  ///< Another file that goes with this one.
  std::uint32_t number;

  static besom::TypeDescriptor type() {
    return {.name = "File", .size = sizeof(File), .fields = {{"beside", offsetof(File, beside)}}};
  }
};

/// A few bytes outside the heap.
struct Buffer {
  static constexpr bool kReleased = true;
  besom::Header header;
  void* bytes;

  static besom::TypeDescriptor type() {
    besom::TypeDescriptor descriptor{.name = "Buffer", .size = sizeof(Buffer)};
    descriptor.release_user = &released;
    descriptor.release = [](void* user, void* object, std::uint32_t) {
      std::free(static_cast<Buffer*>(object)->bytes);
      ++*static_cast<std::uint64_t*>(user);
    };
    return descriptor;
  }
  static inline std::uint64_t released = 0;
};

/// The program's open files.
class Files {
 public:
  Files(Heap& heap, std::uint64_t most) : heap_(heap), type_(require(heap.define<File>())) {
    streams_.reserve(most);
  }
  ~Files() {
    for (std::FILE* stream : streams_) {
      if (stream != nullptr) std::fclose(stream);
    }
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  Handle<File> open() {
    Handle<File> file = require(heap_.make(type_), heap_);
    file->number = static_cast<std::uint32_t>(streams_.size());
    streams_.push_back(std::tmpfile());
    if (streams_.back() == nullptr) throw example::Stop{example::kFailed, "no temporary file"};
    std::fprintf(streams_.back(), "file %u\n", file->number);
    ++open_count;
    return file;
  }
  void close(const File* file) {
    std::FILE*& stream = streams_[file->number];
    expect(stream != nullptr, "no file is closed twice");
    expect(std::fclose(std::exchange(stream, nullptr)) == 0, "closed");
    --open_count;
  }
  [[nodiscard]] bool is_open(const File* file) const { return streams_[file->number] != nullptr; }

  std::uint64_t open_count = 0;

 private:
  Heap& heap_;
  Type<File> type_;
  std::vector<std::FILE*> streams_;
};

void collect(Heap& heap) { expect(!heap.collect(), "a collection cannot fail"); }

File* next(Guardian& guardian) { return static_cast<File*>(require(guardian.next())); }

void show_order(Heap& heap, Files& files) {
  Guardian guardian(heap);
  {
    const Handle<File> log = files.open();
    const Handle<File> data = files.open();
    const Handle<File> index = files.open();
    data->beside = index.get();
    index->beside = data.get();
    const auto guard = [&](const Handle<File>& file, std::int32_t priority) {
      if (const besom::Error error = guardian.guard(file.get(), nullptr, priority)) stop(error);
    };
    guard(log, -1);  // last: the others may still write to it
    guard(data, 0);
    guard(index, 0);
  }
  collect(heap);
  std::cout << "closed in this order:";
  std::uint32_t expected[] = {1, 2, 0};
  for (const std::uint32_t number : expected) {
    const File* file = next(guardian);
    expect(file != nullptr && file->number % 3 == number, "by priority, then by registration");
    std::cout << ' ' << file->number;
    files.close(file);
  }
  std::cout << '\n';
  expect(next(guardian) == nullptr, "each is handed out once");
}

void show_resurrection(Heap& heap, Files& files) {
  Guardian guardian(heap);
  std::uint32_t number = 0;
  {
    const Handle<File> file = files.open();
    file->beside = files.open().get();
    number = file->number;
    if (const besom::Error error = guardian.guard(file.get())) stop(error);
  }
  collect(heap);
  Handle<File> revived(heap, next(guardian));
  expect(revived && revived->number == number, "the file is whole");
  collect(heap);
  expect(files.is_open(revived->beside.get()), "and so is what it refers to");
  std::cout << "file " << number << " came back, with file " << revived->beside->number << '\n';
  files.close(revived->beside.get());
  files.close(revived.get());
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t count = 2000;
  example::Program program("finalizers", "Files that are closed when nobody refers to them.",
                           {.heap_max = std::uint64_t{16} << 20});
  program.option("files", "Files opened in all", count, 1, 10'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    Files files(heap, count + 16);
    show_order(heap, files);
    show_resurrection(heap, files);

    // Files without number, some of them held for a while. Closing them is a callback's work.
    const Type<Buffer> buffer_type = require(heap.define<Buffer>());
    Guardian closer(
        heap,
        [](void* user, Heap&, void* agent) {
          static_cast<Files*>(user)->close(static_cast<File*>(agent));
        },
        &files);
    example::Random random(program.seed());
    std::vector<Handle<File>> held(20);
    std::uint64_t most_open = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      Handle<File> file = files.open();
      if (const besom::Error error = closer.guard(file.get())) stop(error);
      held[random.below(20)] = std::move(file);
      Buffer* buffer = require(heap.allocate(buffer_type), heap);
      buffer->bytes = std::malloc(100);
      most_open = std::max(most_open, files.open_count);
      if (files.open_count < 100) continue;
      program.snapshot(heap);
      collect(heap);  // Files are scarcer than memory, so the program does not wait for that.
      require(heap.run_finalizers());
    }
    std::cout << example::count_text(count, "file") << " opened, at most " << most_open
              << " at a time; " << heap.stats().finalizers_run << " closed by finalizers\n";
    expect(most_open <= 100, "dead files are closed");

    // What is left is handed out before the end, dead or not.
    if (const besom::Error error = closer.make_all_ready()) stop(error);
    const std::uint64_t rest = require(heap.run_finalizers());
    std::cout << rest << " closed at the end, " << files.open_count << " left open\n";
    expect(files.open_count == 0, "every file is closed");

    held.clear();
    collect(heap);
    std::cout << example::count_text(Buffer::released, "buffer") << " freed by a release hook\n";
    expect(Buffer::released == count, "every buffer was freed");
    expect(heap.last_collection().live_objects == 0, "nothing is left");
    program.did(count, "files");
  });
}
