/// The one mapping: alignment, commitment in steps, what a stray access meets, and each system call
/// refused.

#include "heap/arena.hpp"

#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <besom/barrier.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <list>
#include <set>
#include <string>
#include <vector>

#include "besom/detail/zeroed_array.hpp"
#include "tests/heap/fault_system.hpp"
#include "tests/heap/show.hpp"
#include "tests/support/death.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

using detail::ZeroedArray;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
const std::uint64_t kPage = operating_system().page_bytes;

Arena reserved(std::uint64_t max_bytes, std::uint64_t reserve_bytes = 0) {
  Result<Arena> arena = Arena::reserve(max_bytes, reserve_bytes, FaultSystem::table());
  REQUIRE(arena);
  return std::move(*arena);
}

bool is_readable(const volatile char* address) {
  const Death death = death_of([&] {
    std::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would turn the signal into an exit
    static_cast<void>(*address);
  });
  if (death.wait_status == 0) return true;
  INFO(death.describe());
  REQUIRE((WIFSIGNALED(death.wait_status) && WTERMSIG(death.wait_status) == SIGSEGV));
  return false;
}

/// Without the account of what is mapped, which has room for a few.
Arena reserved_plainly(std::uint64_t max_bytes, std::uint64_t reserve_bytes) {
  Result<Arena> arena = Arena::reserve(max_bytes, reserve_bytes, operating_system());
  REQUIRE(arena);
  return std::move(*arena);
}

std::size_t resident_pages(char* first, std::size_t count) {
  std::vector<unsigned char> pages(count);
  REQUIRE(mincore(first, count * kPage, pages.data()) == 0);
  return static_cast<std::size_t>(std::count_if(
      pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; }));
}

/// How much of the span a debugger would write into a core file.
std::uint64_t dumped_bytes(const char* first, std::uint64_t count) {
  const auto begin = reinterpret_cast<std::uintptr_t>(first);
  std::uint64_t dumped = 0;
  std::uint64_t bytes = 0;
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
      const std::uintptr_t end = std::min<std::uintptr_t>(to, begin + count);
      from = std::max(from, begin);
      bytes = from < end ? end - from : 0;
    } else if (line.find("VmFlags:") == 0 && line.find(" dd") == std::string::npos) {
      dumped += bytes;
    }
  }
  return dumped;
}

bool all_zero(const char* bytes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("Arena: the base is a multiple of 4 GiB", "[heap][arena]") {
  for (const std::uint64_t reserve : {std::uint64_t{0}, kMiB, 100 * kMiB, std::uint64_t{5} << 30}) {
    const Arena arena = reserved(kMiB, reserve);
    CHECK(reinterpret_cast<std::uintptr_t>(arena.base()) % Arena::kAlignment == 0);
  }
}

TEST_CASE("Arena: by default any 32-bit index plus any 32-bit offset stays inside",
          "[heap][arena]") {
  const Arena arena = reserved(kMiB);
  CHECK(arena.reserved() > std::uint64_t{0xffffffff} + 0xffffffff);
}

TEST_CASE("Arena: a smaller reservation takes no more than asked, a page's rounding and the guard",
          "[heap][arena]") {
  CHECK(reserved(kMiB, kMiB).reserved() == kMiB + Arena::kSmallGuard);
  CHECK(reserved(kMiB + 1, kMiB + 1).reserved() == kMiB + kPage + Arena::kSmallGuard);
  CHECK(reserved(2 * kMiB, kMiB).reserved() == 2 * kMiB + Arena::kSmallGuard);
}

TEST_CASE("Arena: many live side by side", "[heap][arena]") {
  Arena first = reserved(kMiB);
  Arena second = reserved(kMiB, kMiB);
  Arena third = reserved(kMiB);
  CHECK(first.base() != second.base());
  CHECK(second.base() != third.base());
  REQUIRE_FALSE(first.commit(kPage));
  REQUIRE_FALSE(third.commit(kPage));
  first.base()[100] = 1;
  CHECK(third.base()[100] == 0);
}

TEST_CASE("Arena: committed memory is zero and writable, up to its last byte", "[heap][arena]") {
  Arena arena = reserved(kMiB);
  REQUIRE_FALSE(arena.commit(16 * kPage));
  CHECK(arena.committed() == 16 * kPage);
  CHECK(all_zero(arena.base(), 16 * kPage));
  std::memset(arena.base(), 0x7f, 16 * kPage);
  CHECK(arena.base()[16 * kPage - 1] == 0x7f);
}

TEST_CASE("Arena: committing in steps leaves what lies below as it is", "[heap][arena]") {
  Arena arena = reserved(64 * kMiB);
  std::uint64_t pages = 0;
  for (const std::uint32_t step : {1u, 1u, 2u, 3u, 5u, 800u, 3000u}) {
    const std::uint64_t before = pages * kPage;
    pages += step;
    REQUIRE_FALSE(arena.commit(pages * kPage));
    CHECK(arena.committed() == pages * kPage);
    arena.base()[before] = static_cast<char>(step);
  }
  CHECK(arena.base()[0] == 1);
  CHECK(arena.base()[2 * kPage] == 2);
  CHECK(arena.base()[7 * kPage] == 5);
}

TEST_CASE("Arena: committing less than is committed changes nothing", "[heap][arena]") {
  Arena arena = reserved(kMiB);
  REQUIRE_FALSE(arena.commit(4 * kPage));
  FaultSystem::reset();
  REQUIRE_FALSE(arena.commit(kPage));
  REQUIRE_FALSE(arena.commit(0));
  CHECK(arena.committed() == 4 * kPage);
  CHECK(FaultSystem::calls(SystemCall::commit) == 0);
}

TEST_CASE("Arena: what is not committed faults, and so does the guard", "[heap][arena]") {
  Arena arena = reserved(kMiB);
  const char* base = arena.base();
  CHECK_FALSE(is_readable(base));
  REQUIRE_FALSE(arena.commit(2 * kPage));
  CHECK(is_readable(base));
  CHECK(is_readable(base + 2 * kPage - 1));
  CHECK_FALSE(is_readable(base + 2 * kPage));
  CHECK_FALSE(is_readable(base + 0xffffffff));
  CHECK_FALSE(is_readable(base + std::uint64_t{0xffffffff} + 0xffffffff));
}

TEST_CASE("Arena: with everything of a small reservation committed the guard still faults",
          "[heap][arena]") {
  Arena arena = reserved(kMiB, kMiB);
  REQUIRE_FALSE(arena.commit(kMiB));
  CHECK(is_readable(arena.base() + kMiB - 1));
  CHECK_FALSE(is_readable(arena.base() + kMiB));
  CHECK_FALSE(is_readable(arena.base() + kMiB + Arena::kSmallGuard - 1));
}

TEST_CASE("Arena: discarded pages read as zero, and their neighbours stay", "[heap][arena]") {
  Arena arena = reserved(kMiB);
  REQUIRE_FALSE(arena.commit(8 * kPage));
  std::memset(arena.base(), 0x11, 8 * kPage);
  CHECK(arena.discard(2 * kPage, 3 * kPage) == 3 * kPage);
  CHECK(all_zero(arena.base() + 2 * kPage, 3 * kPage));
  CHECK(arena.base()[2 * kPage - 1] == 0x11);
  CHECK(arena.base()[5 * kPage] == 0x11);
}

TEST_CASE("Arena: only whole pages inside the span are discarded", "[heap][arena]") {
  Arena arena = reserved(kMiB);
  REQUIRE_FALSE(arena.commit(8 * kPage));
  std::memset(arena.base(), 0x11, 8 * kPage);
  CHECK(arena.discard(16, kPage) == 0);
  CHECK(arena.discard(16, 2 * kPage) == kPage);
  CHECK(arena.base()[kPage - 1] == 0x11);
  CHECK(arena.base()[kPage] == 0);
  CHECK(arena.base()[2 * kPage] == 0x11);
  CHECK(arena.discard(3 * kPage, 0) == 0);
}

TEST_CASE("Arena: is named in the process's memory map", "[heap][arena]") {
  void* probe = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(probe != MAP_FAILED);
  const bool supported = operating_system().name(probe, 4096, "besom probe") == 0;
  munmap(probe, 4096);
  const Arena arena = reserved(kMiB);
  bool found = false;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    found |= line.find("besom arena") != std::string::npos;
  }
  CHECK(found == supported);
}

TEST_CASE("Arena: a refused reservation says how much and why, and leaves nothing mapped",
          "[heap][arena][faults]") {
  REQUIRE(FaultSystem::mappings() == 0);
  FaultSystem::reset();
  { const Arena arena = reserved(kMiB); }
  const std::uint64_t calls = FaultSystem::calls(SystemCall::reserve);
  for (std::uint64_t k = 1; k <= calls; ++k) {
    FaultSystem::fail(SystemCall::reserve, k, true);
    const Result<Arena> arena = Arena::reserve(kMiB, 0, FaultSystem::table());
    REQUIRE_FALSE(arena);
    CHECK(arena.error().code == Errc::reserve_failed);
    CHECK(arena.error().system_errno == ENOMEM);
    CHECK(arena.error().bytes == Arena::kFullReservation);
    CHECK(arena.error().message().find("reserve_failed") == 0);
    CHECK(FaultSystem::mappings() == 0);
  }
  FaultSystem::lift();
  const Arena arena = reserved(kMiB);
}

TEST_CASE("Arena: where exact places are refused, it is cut out of more address space",
          "[heap][arena][faults]") {
  REQUIRE(FaultSystem::mappings() == 0);
  // The place of the system's choice is a multiple of 4 GiB once in a million, and tried first.
  FaultSystem::fail(SystemCall::reserve, 2, false);
  {
    const Arena arena = reserved(kMiB);
    CHECK(FaultSystem::injected() == 1);
    CHECK(reinterpret_cast<std::uintptr_t>(arena.base()) % Arena::kAlignment == 0);
    CHECK(FaultSystem::mapped_bytes() ==
          Arena::kFullReservation + detail::Cards::prefix_bytes(kMiB));
  }
  FaultSystem::lift();
  CHECK(FaultSystem::mappings() == 0);
}

TEST_CASE("Arena: a refused commitment changes nothing and may be tried again",
          "[heap][arena][faults]") {
  Arena arena = reserved(kMiB);
  REQUIRE_FALSE(arena.commit(kPage));
  FaultSystem::fail(SystemCall::commit, 1, true);
  for (int i = 0; i < 3; ++i) {
    const Error error = arena.commit(3 * kPage);
    CHECK(error.code == Errc::commit_failed);
    CHECK(error.system_errno == ENOMEM);
    CHECK(error.bytes == 2 * kPage);
    CHECK(arena.committed() == kPage);
  }
  FaultSystem::lift();
  REQUIRE_FALSE(arena.commit(3 * kPage));
  CHECK(arena.committed() == 3 * kPage);
}

TEST_CASE("Arena: names and huge pages refused are no error", "[heap][arena][faults]") {
  FaultSystem::fail(SystemCall::name, 1, true);
  Arena arena = reserved(16 * kMiB);
  FaultSystem::fail(SystemCall::advise_huge, 1, true);
  REQUIRE_FALSE(arena.commit(16 * kMiB));
  CHECK(FaultSystem::injected() == 1);
  FaultSystem::lift();
  arena.base()[16 * kMiB - 1] = 1;
}

TEST_CASE("Arena: huge pages are asked for only where whole ones are committed", "[heap][arena]") {
  Arena arena = reserved(16 * kMiB);
  FaultSystem::reset();
  REQUIRE_FALSE(arena.commit(kMiB));
  CHECK(FaultSystem::calls(SystemCall::advise_huge) == 0);
  REQUIRE_FALSE(arena.commit(3 * kMiB));
  CHECK(FaultSystem::calls(SystemCall::advise_huge) == 1);
  REQUIRE_FALSE(arena.commit(9 * kMiB));
  CHECK(FaultSystem::calls(SystemCall::advise_huge) == 2);
}

TEST_CASE("Arena: a refused discard returns nothing and keeps the bytes", "[heap][arena][faults]") {
  Arena arena = reserved(kMiB);
  REQUIRE_FALSE(arena.commit(2 * kPage));
  arena.base()[0] = 5;
  FaultSystem::fail(SystemCall::discard, 1, false);
  CHECK(arena.discard(0, kPage) == 0);
  CHECK(arena.base()[0] == 5);
  CHECK(arena.discard(0, kPage) == kPage);
}

TEST_CASE("Zero pages of any memory are discarded, others stay", "[heap][arena]") {
  const std::uint64_t kBytes = 8 * kPage;
  ZeroedArray<char> memory(table_memory(FaultSystem::table()));
  REQUIRE(memory.grow(std::max<std::uint64_t>(kBytes, TableMemory::kLeastMapped)));
  char* pages = memory.data();
  pages[kPage + 9] = 1;
  pages[5 * kPage - 1] = 2;
  const System& system = FaultSystem::table();
  CHECK(discard_zeros(pages, kBytes, system) == 6 * kPage);
  CHECK(pages[kPage + 9] == 1);
  CHECK(pages[5 * kPage - 1] == 2);
  CHECK(all_zero(pages + 5 * kPage, 3 * kPage));
  // Only whole pages inside the span.
  CHECK(discard_zeros(pages + 1, kPage, system) == 0);
  CHECK(discard_zeros(pages + 2 * kPage - 1, kPage + 1, system) == kPage);
  CHECK(discard_zeros(pages, 0, system) == 0);
  FaultSystem::fail(SystemCall::discard, 1, true);
  CHECK(discard_zeros(pages, kBytes, system) == 0);
  FaultSystem::lift();
}

TEST_CASE("Arena: moving hands the one mapping on", "[heap][arena]") {
  REQUIRE(FaultSystem::mappings() == 0);
  {
    Arena first = reserved(kMiB);
    REQUIRE_FALSE(first.commit(kPage));
    first.base()[7] = 7;
    const Arena second(std::move(first));
    CHECK(second.base()[7] == 7);
    CHECK(FaultSystem::mappings() == 1);
  }
  CHECK(FaultSystem::mappings() == 0);
}

TEST_CASE("Tables: large ones are the system's, zeroed, movable, unmapped once", "[heap][arena]") {
  REQUIRE(FaultSystem::mappings() == 0);
  {
    const std::size_t count = std::max<std::size_t>(TableMemory::kLeastMapped, 3 * kPage) + 5;
    ZeroedArray<char> table(table_memory(FaultSystem::table()));
    CHECK(table.data() == nullptr);
    REQUIRE(table.grow(count));
    CHECK(FaultSystem::mappings() == 1);
    CHECK(table.size_bytes() == count);
    char* bytes = table.data();
    CHECK(all_zero(bytes, count));
    std::memset(bytes, 1, count);
    table.discard_zeros(count);
    table.discard_from(kPage + 1);
    CHECK(bytes[0] == 1);
    CHECK(bytes[2 * kPage - 1] == 1);
    CHECK(bytes[2 * kPage] == 0);
    table.discard_from(9 * count);
    ZeroedArray<char> other(std::move(table));
    CHECK(other.data() == bytes);
    REQUIRE(other.grow(2 * count));
    CHECK(other[2 * kPage - 1] == 1);
    CHECK(FaultSystem::mappings() == 1);
  }
  CHECK(FaultSystem::mappings() == 0);
}

TEST_CASE("Tables: of small ones nothing is given back to a system that did not give them",
          "[heap][arena]") {
  FaultSystem::reset();
  {
    ZeroedArray<char> table(table_memory(FaultSystem::table()));
    REQUIRE(table.grow(TableMemory::kLeastMapped - 1));
    CHECK(FaultSystem::calls(SystemCall::map) == 0);
    table.discard_zeros(TableMemory::kLeastMapped);
    table[40'000] = 1;
    table.discard_from(0);
    CHECK(table[40'000] == 1);
    // It moves to the system as it grows, with what it held.
    REQUIRE(table.grow(TableMemory::kLeastMapped));
    CHECK(table[40'000] == 1);
  }
  CHECK(FaultSystem::calls(SystemCall::discard) == 0);
  CHECK(FaultSystem::calls(SystemCall::map) == 1);
  CHECK(FaultSystem::calls(SystemCall::unmap) == 1);
}

TEST_CASE("Tables: a refused mapping changes nothing", "[heap][arena][faults]") {
  FaultSystem::fail(SystemCall::map, 1, false);
  ZeroedArray<char> table(table_memory(FaultSystem::table()));
  errno = 0;
  CHECK_FALSE(table.grow(TableMemory::kLeastMapped));
  CHECK(errno == ENOMEM);
  CHECK(table.size() == 0);
  CHECK(table.grow(TableMemory::kLeastMapped));
  CHECK_FALSE(ZeroedArray<std::uint64_t>().grow(~std::size_t{0} / 4));
}

TEST_CASE("Arena: what was given back is not written again to make it zero", "[heap][arena]") {
  Arena arena = reserved(kMiB);
  REQUIRE_FALSE(arena.commit(16 * kPage));
  std::memset(arena.base(), 0x11, 16 * kPage);
  REQUIRE(arena.discard(2 * kPage, 10 * kPage) == 10 * kPage);
  std::memset(arena.base() + 16, 0x22, kPage);
  arena.zero(16, 14 * kPage);
  CHECK(arena.base()[15] == 0x11);
  CHECK(resident_pages(arena.base() + 2 * kPage, 10) == 0);
  CHECK(all_zero(arena.base() + 16, 14 * kPage));
  CHECK(arena.base()[16 + 14 * kPage] == 0x11);
  // Those pages were used by that: the next time they are zeroed like others.
  std::memset(arena.base() + 2 * kPage, 0x33, 10 * kPage);
  arena.zero(2 * kPage, 10 * kPage);
  CHECK(all_zero(arena.base() + 2 * kPage, 10 * kPage));
}

TEST_CASE("Arena: used pages alone are zeroed, as a shadow of them has it",
          "[heap][arena][property]") {
  Random random = random_for("arena's zero pages");
  INFO("seed " << test_seed());
  constexpr std::uint64_t kPages = 300;
  Arena arena = reserved(4 * kMiB);
  REQUIRE_FALSE(arena.commit(kPages * kPage));
  const auto span = [&](std::uint64_t& first, std::uint64_t& bytes) {
    first = random.below(static_cast<std::uint32_t>(kPages * kPage));
    bytes = random.below(
        static_cast<std::uint32_t>(std::min(kPages * kPage - first, kPage << random.below(9)) + 1));
  };
  for (int round = 0; round < 3000; ++round) {
    std::uint64_t first = 0;
    std::uint64_t bytes = 0;
    span(first, bytes);
    switch (random.below(3)) {
      case 0:
        static_cast<void>(arena.discard(first, bytes));
        break;
      case 1:
        arena.use(first, bytes);
        std::memset(arena.base() + first, 0x44, bytes);
        break;
      default:
        arena.zero(first, bytes);
        REQUIRE(all_zero(arena.base() + first, bytes));
        std::memset(arena.base() + first, 0x55, bytes);
    }
  }
}

TEST_CASE("Arena: a huge page given back in part gets small pages until it is all used again",
          "[heap][arena]") {
  constexpr std::uint64_t kHuge = Arena::kHugePage;
  Arena arena = reserved(16 * kMiB);
  REQUIRE_FALSE(arena.commit(16 * kMiB));
  FaultSystem::reset();
  const auto advised = [](std::uint64_t huge, std::uint64_t small) {
    const bool as_told = FaultSystem::calls(SystemCall::advise_huge) == huge &&
                         FaultSystem::calls(SystemCall::advise_small) == small;
    FaultSystem::reset();
    return as_told;
  };
  // Whole ones: nothing is split, and nothing would fill them.
  CHECK(arena.discard(0, 2 * kHuge) == 2 * kHuge);
  CHECK(advised(0, 0));
  // The last half of one, one, and the first half of a third.
  CHECK(arena.discard(kHuge * 5 / 2, 2 * kHuge) == 2 * kHuge);
  CHECK(advised(0, 2));
  // What is gone does not go again.
  CHECK(arena.discard(kHuge * 5 / 2, 2 * kHuge) == 0);
  CHECK(advised(0, 0));
  // Its other half goes, too.
  CHECK(arena.discard(2 * kHuge, kHuge / 2) == kHuge / 2);
  CHECK(advised(1, 0));
  // Used again, in parts.
  arena.use(4 * kHuge, kHuge / 2 - 1);
  arena.use(4 * kHuge + kHuge / 2 - 1, 0);
  CHECK(advised(1, 0));
  arena.use(0, 7 * kHuge);
  CHECK(advised(0, 0));
  CHECK(arena.discard(6 * kHuge + 1, 2 * kPage) == kPage);
  CHECK(advised(0, 1));
  arena.use(6 * kHuge, kPage);
  CHECK(advised(0, 0));
  arena.use(6 * kHuge + kPage, 1);
  CHECK(advised(1, 0));
}

TEST_CASE("Arena: growing asks for no huge page where one is split", "[heap][arena]") {
  Arena arena = reserved(16 * kMiB);
  REQUIRE_FALSE(arena.commit(kMiB));
  FaultSystem::reset();
  CHECK(arena.discard(0, kMiB / 2) == kMiB / 2);
  CHECK(FaultSystem::calls(SystemCall::advise_small) == 1);
  REQUIRE_FALSE(arena.commit(2 * kMiB));
  CHECK(FaultSystem::calls(SystemCall::advise_huge) == 0);
  arena.use(0, kMiB);
  CHECK(FaultSystem::calls(SystemCall::advise_huge) == 1);
}

TEST_CASE("Arena: what is not committed is left out of core files", "[heap][arena]") {
  char* probe =
      static_cast<char*>(mmap(nullptr, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(probe != MAP_FAILED);
  madvise(probe, kPage, MADV_DONTDUMP);
  const bool can_leave_out = dumped_bytes(probe, kPage) == 0;  // an emulator cannot
  munmap(probe, kPage);
  Arena arena = reserved(64 * kMiB);
  REQUIRE_FALSE(arena.commit(3 * kMiB));
  REQUIRE_FALSE(arena.commit(5 * kMiB));
  if (can_leave_out) CHECK(dumped_bytes(arena.base(), arena.reserved()) == 5 * kMiB);
}

TEST_CASE("Arena: on machines with larger pages all goes in whole ones", "[heap][arena]") {
  for (const std::uint64_t page : {16 * 1024, 64 * 1024, 2 << 20}) {
    FaultSystem::set_page(page);
    for (const std::uint64_t reserve : {std::uint64_t{0}, kMiB + 5}) {
      for (const bool record_stores : {false, true}) {
        Result<Arena> made = Arena::reserve(kMiB + 5, reserve, FaultSystem::table(), record_stores);
        REQUIRE(made);
        Arena arena = std::move(*made);
        CHECK(arena.reserved() % page == 0);
        REQUIRE_FALSE(arena.commit(5));
        CHECK(arena.committed() == page);
        REQUIRE_FALSE(arena.commit(kMiB + 5));
        CHECK(arena.committed() == (kMiB + 5 + page - 1) / page * page);
        CHECK(arena.committed() < arena.reserved());
        arena.base()[page - 1] = 9;
        CHECK(arena.discard(1, page) == 0);
        CHECK(arena.discard(0, page) == page);
        CHECK(arena.base()[page - 1] == 0);
        // Compiled code has this distance in it.
        detail::Cards cards(arena.base());
        CHECK(cards.recording() == record_stores);
        if (!record_stores) continue;
        cards.mark(kMiB);
        CHECK(arena.base()[-1 - 4096 - static_cast<std::ptrdiff_t>(kMiB >> 9)] == 1);
        CHECK(cards.next_marked(0, kMiB / 256) == kMiB >> 9);
      }
    }
    FaultSystem::set_page(0);
  }
}

TEST_CASE("Arena: calls that are optional may be missing", "[heap][arena]") {
  System system = operating_system();
  system.advise_huge = nullptr;
  system.advise_small = nullptr;
  system.name = nullptr;
  system.page_bytes = 0;
  Result<Arena> made = Arena::reserve(16 * kMiB, 0, system);
  REQUIRE(made);
  Arena arena = std::move(*made);
  CHECK(arena.page_bytes() == System::kAnyPage);
  REQUIRE_FALSE(arena.commit(16 * kMiB));
  CHECK(arena.discard(kMiB, kMiB) == kMiB);
  arena.use(0, 2 * kMiB);
  ZeroedArray<char> table(table_memory(system));
  CHECK(table.grow(kMiB));
}

TEST_CASE("Arena: in limited address space there are as many as fit", "[heap][arena][many]") {
  if (kUnderSanitizer) return;  // whose shadow memory takes more than any limit
  constexpr std::uint64_t kEach = kMiB + Arena::kSmallGuard;
  constexpr std::uint64_t kRoom = 2500 * kEach;
  const Death death = death_of([] {
    limit_address_space(kRoom);
    std::vector<Arena> arenas;
    arenas.reserve(2500);
    while (arenas.size() < 2500) {
      Result<Arena> arena = Arena::reserve(64 << 10, kMiB, operating_system());
      if (!arena) break;
      arenas.push_back(std::move(*arena));
    }
    std::fprintf(stderr, "%zu arenas\n", arenas.size());
    BESOM_CHECK(arenas.size() >= 2300, "arenas, of", arenas.size(), 2500);
  });
  INFO(death.describe());
  CHECK(death.wait_status == 0);
}

TEST_CASE("Arena: gaps between others are found, however many are taken", "[heap][arena][many]") {
  std::list<Arena> arenas;
  for (int i = 0; i < 200; ++i) arenas.push_back(reserved_plainly(64 << 10, kMiB));
  auto place = arenas.begin();
  for (int i = 0; i < 100; ++i) place = std::next(arenas.erase(place));
  for (int i = 0; i < 300; ++i) arenas.push_back(reserved_plainly(64 << 10, kMiB));
  std::set<char*> bases;
  for (const Arena& arena : arenas) bases.insert(arena.base());
  CHECK(bases.size() == 400);
}

}  // namespace besom::test
