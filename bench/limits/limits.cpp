/// What can this machine do at best? The figures that no heap can beat on it: how fast dependent
/// loads come from memory, how fast memory is written, what a first touch costs, and what a bump
/// allocation costs that zeroes its object and does nothing else.
///
/// Prints flat JSON, times in nanoseconds of CPU time, medians of three: compare reads it too.

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/workloads/program.hpp"
#include "tests/support/random.hpp"

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = 2 << 20;
constexpr std::size_t kLine = 64;

enum class Pages { small, huge };

/// Fresh memory from the system, aligned to a huge page, never touched.
class Mapping {
 public:
  Mapping(std::size_t bytes, Pages pages) : mapped_bytes_(bytes + kHugePage) {
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped_ == MAP_FAILED) {
      std::perror("mmap");
      std::exit(71);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    data_ = reinterpret_cast<char*>((address + kHugePage - 1) & ~(kHugePage - 1));
    madvise(data_, bytes, pages == Pages::huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(mapped_, mapped_bytes_); }
  [[nodiscard]] char* data() const noexcept { return data_; }

 private:
  std::size_t mapped_bytes_;
  void* mapped_;
  char* data_;
};

template <class Measure>
double median_of_three(Measure measure) {
  double results[3] = {measure(), measure(), measure()};
  std::sort(results, results + 3);
  return results[1];
}

class Json {
 public:
  void add(const std::string& key, double value) {
    std::printf("%s  \"%s\": %.3f", first_ ? "{\n" : ",\n", key.c_str(), value);
    std::fflush(stdout);
    first_ = false;
  }
  void end() { std::puts("\n}"); }

 private:
  bool first_ = true;
};

/// One cycle through all lines in random order: each line holds the number of the next.
void link_lines(char* data, std::uint32_t lines) {
  const auto next = [data](std::uint32_t line) -> std::uint32_t& {
    return *reinterpret_cast<std::uint32_t*>(data + line * kLine);
  };
  besom::test::Random random(42);
  for (std::uint32_t i = 0; i < lines; ++i) next(i) = i;
  for (std::uint32_t i = lines - 1; i > 0; --i) std::swap(next(i), next(random.below(i)));
}

/// Time per load of `kChains` chains followed side by side.
template <std::uint32_t kChains>
double chase(const char* data, std::uint32_t lines, std::uint32_t loads) {
  std::uint32_t at[kChains];
  for (std::uint32_t i = 0; i < kChains; ++i) at[i] = lines / kChains * i;
  const double start = bench::cpu_ns();
  for (std::uint32_t i = 0; i < loads / kChains; ++i) {
    for (std::uint32_t& line : at) std::memcpy(&line, data + line * kLine, sizeof line);
  }
  const double ns = bench::cpu_ns() - start;
  bench::keep(at);
  return ns / loads;
}

void measure_chases(Json& json, std::size_t bytes, std::uint32_t loads) {
  for (const Pages pages : {Pages::small, Pages::huge}) {
    const std::string suffix = pages == Pages::small ? "_4k_ns" : "_huge_ns";
    const Mapping memory(bytes, pages);
    const auto lines = static_cast<std::uint32_t>(bytes / kLine);
    link_lines(memory.data(), lines);
    const auto add = [&](const char* chains, auto measure) {
      json.add(std::string("chase_") + chains + suffix,
               median_of_three([&] { return measure(memory.data(), lines, loads); }));
    };
    add("1", chase<1>);
    add("2", chase<2>);
    add("4", chase<4>);
    add("8", chase<8>);
    add("16", chase<16>);
  }
}

/// Nanoseconds per KiB are GB/s upside down; the latter is what people compare.
void measure_writing(Json& json, std::size_t bytes) {
  const Mapping memory(bytes, Pages::huge);
  std::memset(memory.data(), 1, bytes);
  json.add("write_gb_per_s", median_of_three([&] {
             const double start = bench::cpu_ns();
             std::memset(memory.data(), 2, bytes);
             bench::keep(memory.data());
             return static_cast<double>(bytes) / (bench::cpu_ns() - start);
           }));
}

void measure_first_touch(Json& json, std::size_t bytes) {
  const auto touch = [bytes](Pages pages, std::size_t step) {
    const Mapping memory(bytes, pages);
    const double start = bench::cpu_ns();
    for (std::size_t at = 0; at < bytes; at += step) memory.data()[at] = 1;
    bench::keep(memory.data());
    return (bench::cpu_ns() - start) / static_cast<double>(bytes / step);
  };
  json.add("first_touch_4k_ns", median_of_three([&] { return touch(Pages::small, kPage); }));
  json.add("first_touch_huge_ns", median_of_three([&] { return touch(Pages::huge, kHugePage); }));
}

void measure_bump(Json& json, const char* key, std::size_t bytes, std::size_t objects) {
  constexpr std::size_t kObject = 32;
  const Mapping memory(bytes, Pages::huge);
  std::memset(memory.data(), 1, bytes);
  char* const end = memory.data() + bytes;
  json.add(key, median_of_three([&] {
             char* cursor = memory.data();
             const double start = bench::cpu_ns();
             for (std::size_t i = 0; i < objects; ++i) {
               if (cursor == end) cursor = memory.data();
               std::memset(cursor, 0, kObject);
               bench::keep(cursor);
               cursor += kObject;
             }
             return (bench::cpu_ns() - start) / static_cast<double>(objects);
           }));
}

}  // namespace

int main(int argc, char** argv) {
  const bool is_quick = argc == 2 && std::string_view(argv[1]) == "--quick";
  if (argc > 1 && !is_quick) {
    std::fprintf(stderr, "usage: %s [--quick]\n", argv[0]);
    return 64;
  }
  const std::size_t large = std::size_t{is_quick ? 128u : 1024u} << 20;
  const std::uint32_t scale = is_quick ? 1 : 8;
  Json json;
  measure_chases(json, large, 500'000 * scale);
  measure_writing(json, large);
  measure_first_touch(json, large / 4);
  measure_bump(json, "bump_32_in_1m_ns", 1 << 20, 10'000'000u * scale);
  measure_bump(json, "bump_32_in_64m_ns", 64 << 20, 10'000'000u * scale);
  json.end();
}
