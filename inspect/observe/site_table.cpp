#include "inspect/observe/site_table.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <string_view>

#include "heap/text_output.hpp"

namespace besom::detail {
namespace {

constexpr std::uint32_t kBuckets = 2 * SiteTable::kSites;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t more) noexcept {
  hash = (hash ^ more) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

std::uint64_t mixed(std::uint64_t hash, std::string_view text) noexcept {
  for (const char c : text) hash = mixed(hash, static_cast<unsigned char>(c));
  return mixed(hash, text.size());
}

/// Of a long name the beginning; of a path the end says more.
template <std::size_t kBytes>
std::string_view beginning(std::string_view text) noexcept {
  return text.substr(0, kBytes - 1);
}
template <std::size_t kBytes>
std::string_view ending(std::string_view text) noexcept {
  return text.substr(text.size() - std::min(text.size(), kBytes - 1));
}

/// What addr2line takes: the program or library, and the place in it, within the call.
void name_by_address(Site& site) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(site.caller) - 1;
  Dl_info found{};
  TextOutput function(site.function, sizeof site.function);
  TextOutput file(site.file, sizeof site.file);
  if (dladdr(site.caller, &found) == 0) {
    function.print("0x%" PRIxPTR, address);
    return;
  }
  if (found.dli_fname != nullptr) file.add(ending<sizeof site.file>(found.dli_fname));
  if (found.dli_sname != nullptr) {
    // Calls in the same function are places of their own, of functions inlined there perhaps.
    constexpr std::size_t kOffset = sizeof "+0x12345678";
    function.add(beginning<sizeof site.function - kOffset>(found.dli_sname));
    function.print("+0x%" PRIxPTR, address - reinterpret_cast<std::uintptr_t>(found.dli_saddr));
  } else {
    function.print("0x%" PRIxPTR, address - reinterpret_cast<std::uintptr_t>(found.dli_fbase));
  }
}

}  // namespace

bool SiteTable::create() noexcept {
  return sites_.grow(kSites) && buckets_.grow(kBuckets) && live_.grow(kLive);
}

Site* SiteTable::find(const AllocationSite* named, const void* caller, TypeId type) noexcept {
  const AllocationSite wanted =
      named == nullptr
          ? AllocationSite{}
          : AllocationSite{.function = beginning<sizeof Site::function>(named->function),
                           .file = ending<sizeof Site::file>(named->file),
                           .line = named->line,
                           .column = named->column};
  if (named != nullptr) caller = nullptr;
  std::uint64_t hash = mixed(type, reinterpret_cast<std::uintptr_t>(caller));
  hash = mixed(mixed(hash, wanted.function), wanted.file);
  hash = mixed(mixed(hash, wanted.line), wanted.column);
  auto bucket = static_cast<std::uint32_t>(hash % kBuckets);
  for (; buckets_[bucket] != 0; bucket = (bucket + 1) % kBuckets) {
    Site& site = sites_[buckets_[bucket] - 1u];
    if (site.type != type || site.caller != caller) continue;
    if (caller != nullptr) return &site;
    if (site.line == wanted.line && site.column == wanted.column &&
        wanted.function == site.function && wanted.file == site.file) {
      return &site;
    }
  }
  if (count_ == kSites) return nullptr;
  Site& site = sites_[count_++];
  buckets_[bucket] = static_cast<std::uint16_t>(count_);
  site.type = type;
  site.caller = caller;
  site.line = wanted.line;
  site.column = wanted.column;
  if (caller != nullptr) {
    name_by_address(site);
  } else {
    TextOutput(site.function, sizeof site.function).add(wanted.function);
    TextOutput(site.file, sizeof site.file).add(wanted.file);
  }
  return &site;
}

void SiteTable::add(const AllocationSite* named, const void* caller, TypeId type,
                    std::uint32_t index, std::uint64_t bytes) noexcept {
  ++samples_;
  Site* const site = find(named, caller, type);
  if (site == nullptr) {
    ++lost_;
    return;
  }
  if (live_count_ == kLive) thin();
  ++site->samples;
  ++site->live_samples;
  site->allocated_bytes += bytes;
  site->live_bytes += bytes;
  live_bytes_ += bytes;
  live_[live_count_++] = {index, static_cast<std::uint32_t>(site - sites_.data()), bytes};
}

void SiteTable::forget(const Live& live) noexcept {
  --sites_[live.site].live_samples;
  sites_[live.site].live_bytes -= live.bytes;
  live_bytes_ -= live.bytes;
}

void SiteTable::note_collection() noexcept {
  if (live_bytes_ <= peak_bytes_ + peak_bytes_ / 20) return;
  peak_bytes_ = live_bytes_;
  for (std::uint32_t i = 0; i < count_; ++i) sites_[i].peak_bytes = sites_[i].live_bytes;
}

void SiteTable::thin() noexcept {
  for (std::uint32_t i = 0; i < kLive; ++i) {
    if (i % 2 != 0) {
      forget(live_[i]);
      continue;
    }
    sites_[live_[i].site].live_bytes += live_[i].bytes;
    live_bytes_ += live_[i].bytes;
    live_[i].bytes *= 2;
    live_[i / 2] = live_[i];
  }
  live_count_ = kLive / 2;
  sample_bytes_ *= 2;
}

}  // namespace besom::detail
