/// Where was allocated, for the program: rows, text, and a profile that Chrome's DevTools load.
/// Source: V8, src/profiler/sampling-heap-profiler, and the DevTools protocol's
/// HeapProfiler.SamplingHeapProfile, for what the profile holds.

#include <algorithm>
#include <cinttypes>

#include "besom/inspect.hpp"
#include "gc/observer.hpp"
#include "heap/replaced_file.hpp"
#include "heap/text_output.hpp"
#include "inspect/heap_view.hpp"
#include "inspect/json_output.hpp"
#include "inspect/observe/profile.hpp"
#include "inspect/observe/site_table.hpp"

namespace besom {
namespace {

constexpr Error kNotSampled{.code = Errc::bad_option,
                            .detail = "allocation sites, and sample_bytes is 0"};

const detail::SiteTable* sites_of(const detail::HeapParts& parts) noexcept {
  return parts.observer != nullptr ? parts.observer->sites() : nullptr;
}

}  // namespace

std::size_t AllocationSites::write_message(char* buffer, std::size_t size) const noexcept {
  detail::TextOutput text(buffer, size);
  for (const AllocationRow& row : rows()) {
    text.print("%12" PRIu64 " bytes live of %14" PRIu64 " allocated  ", row.live_bytes,
               row.allocated_bytes);
    text.add(row.function);
    if (row.file[0] != '\0') text.add(" at ").add(row.file);
    if (row.line != 0) text.print(":%" PRIu32, row.line);
    if (row.column != 0) text.print(":%" PRIu32, row.column);
    text.add("  ").add(name_of(row.descriptor)).add("\n");
  }
  return text.length();
}

Result<AllocationSites> allocation_sites(Heap& heap) noexcept {
  const detail::HeapParts& parts = detail::parts_of(heap);
  if (!parts.collector->may_enter()) return parts.error;
  const detail::SiteTable* table = sites_of(parts);
  if (table == nullptr) return kNotSampled;
  AllocationSites sites;
  sites.samples_ = table->samples();
  sites.sample_bytes_ = table->sample_bytes();
  if (!sites.rows_.grow(table->sites().size())) {
    return Error{.code = Errc::out_of_host_memory, .detail = "allocation sites"};
  }
  for (const detail::Site& site : table->sites()) {
    sites.rows_[sites.count_++] = {.function = site.function,
                                   .file = site.file,
                                   .line = site.line,
                                   .column = site.column,
                                   .type = site.type,
                                   .descriptor = parts.collector->types()[site.type].descriptor,
                                   .samples = site.samples,
                                   .allocated_bytes = site.allocated_bytes,
                                   .live_samples = site.live_samples,
                                   .live_bytes = site.live_bytes};
  }
  std::sort(sites.rows_.data(), sites.rows_.data() + sites.count_,
            [](const AllocationRow& a, const AllocationRow& b) {
              return a.live_bytes != b.live_bytes ? a.live_bytes > b.live_bytes
                                                  : a.allocated_bytes > b.allocated_bytes;
            });
  return sites;
}

Error save_allocation_profile(Heap& heap, const char* name) noexcept {
  const detail::HeapParts& parts = detail::parts_of(heap);
  if (!parts.collector->may_enter()) return parts.error;
  if (name == nullptr) return {.code = Errc::bad_argument, .detail = "name of a profile"};
  const detail::SiteTable* table = sites_of(parts);
  if (table == nullptr) return kNotSampled;
  return detail::save_profile(*table, parts.collector->types(), parts.space->arena().system(), name,
                              detail::ProfileOf::live);
}

}  // namespace besom
