/// Does the time per object stay the same from a small heap to the largest? For each size: fills
/// nine tenths of the heap with objects of 48 bytes, collects, drops every second one, collects,
/// fills the holes again, drops nine tenths, collects, drops the rest. CPU time in ns.

#include <sys/resource.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "besom.hpp"

namespace {

struct Object {
  besom::Header header;
  besom::Member<Object> ref[4];
  std::uint64_t payload[3];
  static besom::TypeDescriptor type() {
    besom::TypeDescriptor descriptor{.name = "Object", .size = sizeof(Object)};
    for (std::uint32_t i = 0; i < 4; ++i) {
      descriptor.fields.push_back(
          {.name = "ref" + std::to_string(i),
           .offset = static_cast<std::uint32_t>(offsetof(Object, ref) + 4 * i)});
    }
    return descriptor;
  }
};
static_assert(sizeof(Object) == 48);
using Table = besom::RefArray<Object>;

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::uint64_t resident_bytes() {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                       std::fclose);
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%" SCNu64 "%" SCNu64, &total, &resident) != 2) {
    return 0;
  }
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

[[noreturn]] void give_up(const besom::Error& error) {
  std::fprintf(stderr, "scale: %s\n", error.message().c_str());
  std::exit(71);
}

class Row {
 public:
  explicit Row(std::uint64_t mib) : mib_(mib) {
    besom::HeapOptions options;
    options.heap_max = mib << 20;
    options.heap_initial = options.heap_max;
    options.growth = besom::Growth::fixed();
    auto heap = besom::Heap::create(options);
    if (!heap) give_up(heap.error());
    heap_ = std::move(*heap);
    object_ = *heap_->define<Object>();
    count_ = static_cast<std::uint32_t>(options.heap_max / 10 * 9 /
                                        (sizeof(Object) + sizeof(std::uint32_t)));
    table_ = heap_->make(*heap_->define<Table>(), count_, "all objects");
    if (!table_) give_up(heap_->error());
  }

  void run() {
    const double begun = cpu_seconds();
    const double fill = fill_empty();
    collect();
    const double mark = ns(heap_->last_collection().mark_ns, count_);
    for (std::uint32_t i = 1; i < count_; i += 2) (*table_)[i] = nullptr;
    collect();
    const std::uint64_t holes = heap_->last_collection().holes;
    const double sweep = ns(heap_->last_collection().sweep_ns, count_ / 2);
    const double refill = fill_empty();
    const double whole = cpu_seconds() - begun;
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (i % 4096 >= 409) (*table_)[i] = nullptr;
    }
    collect();
    const auto live = static_cast<double>(heap_->last_collection().live_bytes);
    const double rss = static_cast<double>(resident_bytes()) / live;
    table_.reset();
    collect();
    std::printf(
        "%6" PRIu64 " %10u %8.1f %8.1f %10" PRIu64 " %8.1f %8.1f %8.2f %6" PRIu64 " %8.2f\n", mib_,
        count_, fill, mark, holes, sweep, refill, rss, heap_->last_collection().holes, whole);
    std::fflush(stdout);
  }

 private:
  static double ns(std::uint64_t time, std::uint64_t count) {
    return static_cast<double>(time) / static_cast<double>(count);
  }
  /// Per object.
  double fill_empty() {
    const double begun = cpu_seconds();
    std::uint32_t made = 0;
    for (std::uint32_t i = 0; i < count_; ++i) {
      if ((*table_)[i]) continue;
      Object* object = heap_->allocate(object_);
      if (object == nullptr) give_up(heap_->error());
      (*table_)[i] = object;
      ++made;
    }
    return (cpu_seconds() - begun) * 1e9 / made;
  }
  void collect() {
    if (const besom::Error error = heap_->collect()) give_up(error);
  }

  std::uint64_t mib_;
  std::unique_ptr<besom::Heap> heap_;
  besom::Type<Object> object_;
  besom::Handle<Table> table_;
  std::uint32_t count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4096;
  if (most == 0 || most > 4096) {
    std::fprintf(stderr, "usage: scale [most MiB, 1..4096]\n");
    return 64;
  }
  std::printf(
      "   MiB    objects     fill     mark      holes    sweep   refill  rss/live  left  seconds\n"
      "                  ns each  ns each             ns each  ns each   10 %% kept holes  until "
      "refilled\n");
  for (std::uint64_t mib = 1; mib <= most; mib *= 4) Row(mib).run();
}
