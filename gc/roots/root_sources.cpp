#include "besom/detail/root_sources.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "besom/detail/check.hpp"
#include "heap/host_vector.hpp"

namespace besom::detail {

/// Serials lie apart from what they name: a search touches little memory.
struct RootSources::Table {
  explicit Table(const TableMemory* memory) noexcept : serials(memory), sources(memory) {}

  HostVector<std::uint64_t> serials;  ///< In order.
  HostVector<RootSource> sources;     ///< One for each serial.
  std::size_t removed = 0;
};

RootSources::~RootSources() { clear(); }

std::uint64_t RootSources::add(const RootSource& source) noexcept {
  if (table_ == nullptr) table_ = new (std::nothrow) Table(&memory_);
  if (table_ == nullptr) return 0;
  const std::size_t count = table_->sources.rows().size() + 1;
  if (!table_->serials.make_room(count) || !table_->sources.make_room(count)) return 0;
  table_->serials.rows().push_back(++serial_);
  table_->sources.rows().push_back(source);
  BESOM_ASSERT(table_->serials.rows().size() == table_->sources.rows().size());
  return serial_;
}

bool RootSources::remove(std::uint64_t serial) noexcept {
  if (table_ == nullptr) return false;
  auto& serials = table_->serials.rows();
  auto& sources = table_->sources.rows();
  const auto found = std::lower_bound(serials.begin(), serials.end(), serial);
  if (found == serials.end() || *found != serial) return false;
  RootSource& source = sources[static_cast<std::size_t>(found - serials.begin())];
  if (!source.set_removed()) return false;
  if (++table_->removed * 2 <= sources.size()) return true;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].is_removed()) continue;
    serials[kept] = serials[i];
    sources[kept++] = sources[i];
  }
  serials.erase(serials.begin() + kept, serials.end());
  sources.erase(sources.begin() + kept, sources.end());
  table_->removed = 0;
  table_->serials.give_back(kept);
  table_->sources.give_back(kept);
  return true;
}

void RootSources::clear() noexcept { delete std::exchange(table_, nullptr); }

std::span<RootSource> RootSources::rows() noexcept {
  if (table_ == nullptr) return {};
  return {table_->sources.rows().data(), table_->sources.rows().size()};
}

std::span<const RootSource> RootSources::rows() const noexcept {
  if (table_ == nullptr) return {};
  return {table_->sources.rows().data(), table_->sources.rows().size()};
}

}  // namespace besom::detail
