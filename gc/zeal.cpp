/// What zeal checks of a heap around its collections.

#include <cinttypes>
#include <cstdio>

#include "gc/collector.hpp"

namespace besom::detail {
namespace {

/// What zeal found, told as it is met: nothing is kept, as nothing may be allocated.
class DamageReport {
 public:
  DamageReport(const LogSink& log, const char* when, std::uint64_t collection) noexcept
      : log_(log), when_(when), collection_(collection) {}

  [[nodiscard]] DefectSink sink() noexcept {
    return {[](void* user, const Defect& defect) noexcept {
              static_cast<DamageReport*>(user)->tell(defect);
            },
            this};
  }
  void abort_if_any() const noexcept {
    BESOM_CHECK(found_ == 0, "zeal found the heap damaged: defects, collection", found_,
                collection_);
  }

 private:
  static constexpr std::uint64_t kMostLines = 100;

  void tell(const Defect& defect) noexcept {
    if (++found_ > kMostLines) return;
    char text[1024];
    static_cast<void>(defect.write_message(text, sizeof text));
    log_.log(LogLevel::error, "%s collection %" PRIu64 ": %s", when_, collection_, text);
    std::fprintf(stderr, "besom: %s collection %" PRIu64 ": %s\n", when_, collection_, text);
  }

  const LogSink& log_;
  const char* when_;
  std::uint64_t collection_;
  std::uint64_t found_ = 0;
};

}  // namespace

/// With `cards` before marking, else after it.
void Collector::check_stores(const Cards* cards, const char* when) noexcept {
  DamageReport report(log_, when, accounts_.current().number);
  find_missed_stores(*heap_.space, types_, marker_.marks(), cards, report.sink());
  report.abort_if_any();
}

void Collector::verify_or_abort(const char* when) noexcept {
  DamageReport report(log_, when, accounts_.last().number + 1);
  verify(report.sink());
  report.abort_if_any();
}

/// Of all that is marked: that it refers to nothing that is not.
void Collector::check_cycle() noexcept {
  DamageReport report(log_, "in", accounts_.current().number);
  find_lost(*heap_.space, types_, *heap_.roots, marker_.marks(), report.sink());
  report.abort_if_any();
}

}  // namespace besom::detail
