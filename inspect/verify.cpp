#include <utility>

#include "besom/inspect.hpp"
#include "inspect/heap_view.hpp"

namespace besom {

VerifyReport verify(Heap& heap, std::uint64_t max_defects) noexcept {
  struct Kept {
    VerifyReport report;
    std::uint64_t most;
  } kept{{}, max_defects};
  VerifyReport& report = kept.report;
  const detail::HeapParts& parts = detail::parts_of(heap);
  if (!parts.collector->may_enter()) {
    report.error = parts.error;
    return std::move(report);
  }
  const auto keep = [](void* user, const Defect& defect) noexcept {
    auto& [into, most] = *static_cast<Kept*>(user);
    if (into.defects.size() >= most || into.error) return;
    if (!into.defects.add(defect)) {
      into.error = {.code = Errc::out_of_host_memory, .detail = "defects"};
    }
  };
  const detail::VerifyCounts counts = parts.collector->verify({keep, &kept});
  report.objects = counts.objects;
  report.slots = counts.slots;
  report.more = counts.defects - report.defects.size();
  return std::move(report);
}

}  // namespace besom
