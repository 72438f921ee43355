#include "heap/arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "besom/barrier.hpp"

// Named by newer kernel headers only.
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

namespace besom {
namespace {

void* checked(void* address) { return address == MAP_FAILED ? nullptr : address; }

/// A write that passes the limit would end the process by SIGXFSZ.
std::int64_t write_within_limit(int file, const void* data, std::size_t bytes,
                                std::uint64_t offset) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    if (offset >= limit.rlim_cur) {
      errno = EFBIG;
      return -1;
    }
    bytes = std::min<std::size_t>(bytes, limit.rlim_cur - offset);
  }
  for (;;) {
    const ssize_t written = pwrite(file, data, bytes, static_cast<off_t>(offset));
    if (written >= 0 || errno != EINTR) return written;
  }
}

/// rename() would put the file in the place of a device, too.
int replace_regular_file(const char* target, const char* file) {
  struct stat found {};
  if (lstat(target, &found) == 0 && !S_ISREG(found.st_mode)) {
    errno = EEXIST;
    return -1;
  }
  return rename(file, target);
}

/// Debuggers write all of a mapping into a core file, inaccessible or not, unless told otherwise.
void* reserve_without_core(void* hint, std::size_t bytes) {
  const int placement = hint != nullptr ? MAP_FIXED_NOREPLACE : 0;
  void* found = checked(
      mmap(hint, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | placement, -1, 0));
  if (found != nullptr) madvise(found, bytes, MADV_DONTDUMP);
  return found;
}

int commit_with_core(void* address, std::size_t bytes) {
  if (mprotect(address, bytes, PROT_READ | PROT_WRITE) != 0) return -1;
  madvise(address, bytes, MADV_DODUMP);
  return 0;
}

constexpr System kSystemCalls{
    .reserve = reserve_without_core,
    .map =
        [](std::size_t bytes) {
          return checked(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        },
    .unmap = [](void* address, std::size_t bytes) { return munmap(address, bytes); },
    .commit = commit_with_core,
    .discard = [](void* address,
                  std::size_t bytes) { return madvise(address, bytes, MADV_DONTNEED); },
    .advise_huge = [](void* address,
                      std::size_t bytes) { return madvise(address, bytes, MADV_HUGEPAGE); },
    .name =
        [](void* address, std::size_t bytes, const char* name) {
          return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, bytes, name);
        },
    .create_file = [](char* name) { return mkostemp(name, O_CLOEXEC); },
    .write_file = write_within_limit,
    .sync_file = [](int file) { return fsync(file); },
    .close_file = [](int file) { return close(file); },
    .replace_file = replace_regular_file,
    .remove_file = [](const char* name) { return unlink(name); },
    .advise_small = [](void* address,
                       std::size_t bytes) { return madvise(address, bytes, MADV_NOHUGEPAGE); },
};

void name_memory(const System& system, void* address, std::size_t bytes, const char* name) {
  if (system.name != nullptr) system.name(address, bytes, name);
}

/// `page` is a power of two.
constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t page) {
  BESOM_ASSERT(std::has_single_bit(page));
  return (bytes + page - 1) & ~(page - 1);
}
constexpr std::uint64_t round_down(std::uint64_t bytes, std::uint64_t page) {
  BESOM_ASSERT(std::has_single_bit(page));
  return bytes & ~(page - 1);
}

const System& system_of(const void* context) { return *static_cast<const System*>(context); }

/// A table ends where its mapping ends, but for what the last page has left.
constexpr TableMemory::Calls kTableCalls{
    .map = [](const void* context, std::size_t bytes, const char* name) -> void* {
      const System& system = system_of(context);
      const std::size_t whole = round_up(bytes, system.page());
      void* data = system.map(whole);
      if (data != nullptr) name_memory(system, data, whole, name);
      return data;
    },
    .unmap =
        [](const void* context, void* data, std::size_t bytes) {
          const System& system = system_of(context);
          system.unmap(data, round_up(bytes, system.page()));
        },
    .discard =
        [](const void* context, void* data, std::size_t bytes) {
          const System& system = system_of(context);
          const auto address = reinterpret_cast<std::uintptr_t>(data);
          const std::uintptr_t first = round_up(address, system.page());
          const std::uintptr_t end = round_down(address + bytes, system.page());
          if (first < end) system.discard(reinterpret_cast<void*>(first), end - first);
        },
    .discard_zeros = [](const void* context, void* data,
                        std::size_t bytes) { discard_zeros(data, bytes, system_of(context)); },
};

/// The least address from `address` on that is `prefix` bytes below a multiple of 4 GiB.
std::uintptr_t aligned_from(std::uintptr_t address, std::size_t prefix) {
  const std::uintptr_t base = address + prefix + Arena::kAlignment - 1;
  return base - base % Arena::kAlignment - prefix;
}

/// Address space `prefix` bytes below a multiple of 4 GiB, cut out of more.
void* reserve_more_and_cut(std::size_t bytes, std::size_t prefix, const System& system) {
  auto* more = static_cast<char*>(system.reserve(nullptr, bytes + Arena::kAlignment));
  if (more == nullptr) return nullptr;
  const auto address = reinterpret_cast<std::uintptr_t>(more);
  const std::size_t before = aligned_from(address, prefix) - address;
  if (before != 0) system.unmap(more, before);
  system.unmap(more + before + bytes, Arena::kAlignment - before);
  return more + before;
}

std::uint64_t mixed(std::uint64_t x) {  // the finaliser of splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Asks for exact places, each `prefix` bytes below a multiple of 4 GiB.
class PlaceSearch {
 public:
  PlaceSearch(std::size_t bytes, std::size_t prefix, const System& system)
      : bytes_(bytes), prefix_(prefix), system_(system) {}

  /// Whether the search is over: it found a place, or no place will do.
  [[nodiscard]] bool try_at(std::uint64_t number) {
    void* wanted = reinterpret_cast<void*>(number * Arena::kAlignment - prefix_);
    void* found = system_.reserve(wanted, bytes_);
    if (found == wanted) {
      place_ = found;
      return true;
    }
    // A kernel that does not know the exact placement flag takes the address for a hint, and tools
    // that run programs on a machine of their own, like valgrind, refuse it.
    if (found != nullptr) system_.unmap(found, bytes_);
    if (found == nullptr && errno == EEXIST) return false;
    const bool may_be_taken = found != nullptr || errno == EINVAL;
    return !may_be_taken || ++unclear_ == kMostUnclear;
  }
  [[nodiscard]] void* place() const { return place_; }

 private:
  static constexpr int kMostUnclear = 8;
  std::size_t bytes_;
  std::size_t prefix_;
  const System& system_;
  void* place_ = nullptr;
  int unclear_ = 0;
};

/// An exact place below number `top`, or nullptr. The next ones first, which are free as a rule;
/// where the next ones are taken, by other heaps, some at random, of which most are free; then all
/// there are, some 30,000, so that as many heaps fit as have room.
void* search_below(std::uint64_t top, PlaceSearch& search) {
  constexpr std::uint64_t kLowest = 2;
  constexpr std::uint64_t kNear = 64;
  constexpr std::uint64_t kAtRandom = 256;
  if (top <= kLowest) return nullptr;
  const std::uint64_t near_end = top - std::min(kNear, top - kLowest);
  for (std::uint64_t number = top; number-- > near_end;) {
    if (search.try_at(number)) return search.place();
  }
  for (std::uint64_t i = 0; i < kAtRandom; ++i) {
    const std::uint64_t number = kLowest + mixed(top * kAtRandom + i) % (top - kLowest);
    if (search.try_at(number)) return search.place();
  }
  for (std::uint64_t number = near_end; number-- > kLowest;) {
    if (search.try_at(number)) return search.place();
  }
  return nullptr;
}

/// Address space `prefix` bytes below a multiple of 4 GiB. Where address space is limited there is
/// none to cut away, so ask where the system would put it, which is at the top of what is free, and
/// then for exact places below. Where exact places are refused there is room to cut.
void* reserve_aligned(std::size_t bytes, std::size_t prefix, const System& system) {
  void* anywhere = system.reserve(nullptr, bytes);
  if (anywhere == nullptr) return nullptr;
  const std::uintptr_t next = aligned_from(reinterpret_cast<std::uintptr_t>(anywhere), prefix);
  if (next == reinterpret_cast<std::uintptr_t>(anywhere)) return anywhere;
  system.unmap(anywhere, bytes);
  PlaceSearch search(bytes, prefix, system);
  void* place = search_below((next + prefix) / Arena::kAlignment, search);
  return place != nullptr ? place : reserve_more_and_cut(bytes, prefix, system);
}

}  // namespace

const System& operating_system() noexcept {
  static const System system = [] {
    System calls = kSystemCalls;
    calls.page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return calls;
  }();
  return system;
}

TableMemory table_memory(const System& system) noexcept {
  return {.calls = &kTableCalls, .context = &system};
}

std::uint64_t random_seed() noexcept {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
    seed = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return seed != 0 ? seed : 1;
}

Result<Arena> Arena::reserve(std::uint64_t max_bytes, std::uint64_t reserve_bytes,
                             const System& system, bool record_stores) {
  const std::uint64_t page = system.page();
  const std::uint64_t prefix = round_up(detail::Cards::prefix_bytes(max_bytes), page);
  const std::uint64_t wanted = std::max(max_bytes, reserve_bytes);
  const std::uint64_t bytes =
      reserve_bytes == 0 ? kFullReservation : round_up(wanted, page) + std::max(kSmallGuard, page);
  detail::ZeroPages zero_pages;
  if (!zero_pages.create(round_up(max_bytes, page), page, table_memory(system))) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = max_bytes / page / 8,
                 .detail = "table of zero pages"};
  }
  void* begin = reserve_aligned(prefix + bytes, prefix, system);
  if (begin == nullptr) {
    return Error{.code = Errc::reserve_failed,
                 .system_errno = errno,
                 .bytes = bytes,
                 .detail = "address space of the arena; set `reserve` to ask for less"};
  }
  name_memory(system, begin, prefix + bytes, "besom arena");
  Arena arena(static_cast<char*>(begin) + prefix, prefix, bytes, system);
  arena.zero_pages_ = std::move(zero_pages);
  if (system.commit(begin, prefix) != 0) {
    return Error{.code = Errc::commit_failed,
                 .system_errno = errno,
                 .bytes = prefix,
                 .detail = "cards of the arena"};
  }
  if (record_stores) detail::Cards(arena.base_).start_recording(max_bytes);
  return arena;
}

Arena::Arena(Arena&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      committed_(std::exchange(other.committed_, 0)),
      prefix_(other.prefix_),
      reserved_(std::exchange(other.reserved_, 0)),
      system_(other.system_),
      zero_pages_(std::move(other.zero_pages_)),
      split_(other.split_),
      wants_huge_(other.wants_huge_) {}

Arena::~Arena() {
  if (base_ == nullptr) return;
  detail::Cards(base_).set_barrier(0, 0);
  system_->unmap(base_ - prefix_, prefix_ + reserved_);
}

Error Arena::commit(std::uint64_t bytes) noexcept {
  bytes = round_up(bytes, page_bytes());
  BESOM_ASSERT(bytes <= reserved_);
  if (bytes <= committed_) return {};
  char* from = base_ + committed_;
  const std::uint64_t added = bytes - committed_;
  if (system_->commit(from, added) != 0) {
    return {.code = Errc::commit_failed,
            .system_errno = errno,
            .bytes = added,
            .detail = "memory to grow the arena"};
  }
  // Huge pages only where whole ones will be filled: a small heap would pay with its footprint.
  // The one that the last step began is filled now.
  std::uint64_t first_huge = round_down(committed_, kHugePage);
  if (split_[first_huge / kHugePage]) first_huge += kHugePage;
  const std::uint64_t end_huge = round_down(bytes, kHugePage);
  if (!wants_huge_) {
    // Some systems give huge pages unasked.
    if (system_->advise_small != nullptr) system_->advise_small(from, added);
  } else if (first_huge < end_huge && system_->advise_huge != nullptr) {
    system_->advise_huge(base_ + first_huge, end_huge - first_huge);
  }
  committed_ = bytes;
  return {};
}

std::uint64_t Arena::held_bytes(std::uint64_t index, std::uint64_t bytes) const noexcept {
  const std::uint64_t first = round_up(index, page_bytes());
  const std::uint64_t end = round_down(index + bytes, page_bytes());
  return first >= end ? 0 : end - first - zero_pages_.count(first, end) * page_bytes();
}

std::uint64_t Arena::discard(std::uint64_t index, std::uint64_t bytes) noexcept {
  const std::uint64_t first = round_up(index, page_bytes());
  const std::uint64_t end = round_down(index + bytes, page_bytes());
  const std::uint64_t held = held_bytes(index, bytes);
  BESOM_ASSERT(end <= committed_);
  if (held == 0 || system_->discard(base_ + first, end - first) != 0) return 0;
  zero_pages_.note_zero(first, end);
  for (std::uint64_t number = first / kHugePage; number <= (end - 1) / kHugePage; ++number) {
    advise_again(number, true);
  }
  return held;
}

void Arena::advise_used(std::uint64_t begin, std::uint64_t end) noexcept {
  BESOM_ASSERT(begin < end && end <= committed_);
  for (std::uint64_t number = begin / kHugePage; number <= (end - 1) / kHugePage; ++number) {
    advise_again(number, false);
  }
}

void Arena::zero(std::uint64_t index, std::uint64_t bytes) noexcept {
  BESOM_ASSERT(index + bytes <= committed_);
  zero_pages_.for_each_dirty(index, index + bytes, [this](std::uint64_t first, std::uint64_t end) {
    std::memset(base_ + first, 0, end - first);
  });
  use(index, bytes);
}

/// A huge page that is split by giving back a part of it gets small pages until it is all used
/// again or all given back. Advice for whole huge pages only, at most 2048 in an arena: each change
/// of it along the addresses costs the process one of its 65,530 mappings.
void Arena::advise_again(std::uint64_t number, bool was_discarded) noexcept {
  if (!wants_huge_ || (!was_discarded && !split_[number])) return;
  const std::uint64_t begin = number * kHugePage;
  BESOM_ASSERT(begin < committed_);
  const std::uint64_t end = std::min(begin + kHugePage, committed_);
  const std::uint64_t zero = zero_pages_.count(begin, end) * page_bytes();
  const bool is_split = zero != 0 && zero != end - begin;
  if (is_split == split_[number]) return;
  if (is_split) {
    if (system_->advise_small != nullptr) system_->advise_small(base_ + begin, end - begin);
  } else if (end - begin == kHugePage && system_->advise_huge != nullptr) {
    system_->advise_huge(base_ + begin, end - begin);
  }
  split_[number] = is_split;
}

std::uint64_t discard_zeros(const void* begin, std::uint64_t bytes, const System& system) noexcept {
  const std::uint64_t page_bytes = system.page();
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t end = round_down(address + bytes, page_bytes);
  std::uintptr_t page = round_up(address, page_bytes);
  const auto is_zero = [page_bytes](std::uintptr_t from) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(from);
    return std::all_of(words, words + page_bytes / sizeof *words,
                       [](std::uint64_t word) { return word == 0; });
  };
  std::uint64_t discarded = 0;
  while (page < end) {
    const std::uintptr_t first = page;
    while (page < end && is_zero(page)) page += page_bytes;
    if (page != first && system.discard(reinterpret_cast<void*>(first), page - first) == 0) {
      discarded += page - first;
    }
    page += page_bytes;
  }
  return discarded;
}

std::uint64_t detail::stack_limit() noexcept {
  rlimit limit;
  // Without an answer nothing is known to be too far down.
  return getrlimit(RLIMIT_STACK, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

bool detail::is_first_thread() noexcept { return gettid() == getpid(); }
std::int64_t detail::process_id() noexcept { return getpid(); }

}  // namespace besom
