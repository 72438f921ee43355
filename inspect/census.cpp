#include <algorithm>
#include <cinttypes>

#include "besom/inspect.hpp"
#include "heap/text_output.hpp"
#include "inspect/heap_view.hpp"

namespace besom {

const CensusRow* Census::row(TypeId type) const noexcept {
  for (const CensusRow& row : rows()) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

std::size_t Census::write_message(char* buffer, std::size_t size) const noexcept {
  detail::TextOutput text(buffer, size);
  const auto add = [&](std::uint64_t objects, std::uint64_t bytes, const char* name) {
    // Columns: the noun is as wide in the singular.
    text.print("%12" PRIu64 " object%-1s %14" PRIu64 " byte%-1s  ", objects,
               detail::plural(objects), bytes, detail::plural(bytes))
        .add(name)
        .add("\n");
  };
  for (const CensusRow& row : rows()) add(row.objects, row.bytes, row.name());
  add(objects_, bytes_, "in all");
  return text.length();
}

/// Fills a census: while it counts, a type's row stands at its id.
class CensusTaker {
 public:
  explicit CensusTaker(const detail::TypeTable& types) : types_(types) {}

  [[nodiscard]] bool prepare() noexcept {
    census_.count_ = types_.count() + std::size_t{1};
    return census_.rows_.grow(census_.count_);
  }
  void add(const ObjectView& object) noexcept {
    CensusRow& row = census_.rows_[object.type_id];
    ++row.objects;
    row.bytes += object.size_bytes;
    ++census_.objects_;
    census_.bytes_ += object.size_bytes;
  }
  [[nodiscard]] Census finish() noexcept {
    CensusRow* const rows = &census_.rows_[0];
    for (TypeId type = 0; type < census_.count_; ++type) {
      rows[type].type = type;
      rows[type].descriptor = type == 0 ? nullptr : types_[type].descriptor;
    }
    CensusRow* end = std::remove_if(rows, rows + census_.count_,
                                    [](const CensusRow& row) { return row.objects == 0; });
    census_.count_ = static_cast<std::size_t>(end - rows);
    std::sort(rows, end, [](const CensusRow& a, const CensusRow& b) {
      return a.bytes != b.bytes ? a.bytes > b.bytes : a.type < b.type;
    });
    return std::move(census_);
  }

 private:
  const detail::TypeTable& types_;
  Census census_;
};

Result<Census> census(Heap& heap) noexcept {
  return detail::read(heap, [](const detail::HeapView& view) -> Result<Census> {
    CensusTaker taker(view.types());
    if (!taker.prepare()) return Error{.code = Errc::out_of_host_memory, .detail = "census"};
    view.each_object([&](Run run) { taker.add(view.object(run)); });
    return taker.finish();
  });
}

}  // namespace besom
