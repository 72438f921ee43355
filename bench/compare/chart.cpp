#include <algorithm>
#include <iomanip>
#include <sstream>

#include "bench/compare/report.hpp"
#include "bench/svg.hpp"

namespace bench::compare {

namespace {

constexpr double kWidth = 860;
constexpr double kLeft = 190;   ///< Where the bars begin.
constexpr double kRight = 720;  ///< Where the longest ends; its figure stands behind it.
constexpr double kRow = 20;
constexpr double kBarHeight = 13;
constexpr double kTitleHeight = 40;  ///< Over each group.
constexpr double kHeadHeight = 70;
constexpr const char* kStyle =
    "text{font:12px sans-serif;fill:#333}.head{font-size:17px;font-weight:bold}"
    ".title{font-size:13px;font-weight:bold}.small{font-size:11px;fill:#666}"
    ".besom{fill:#b5651d}.peer{fill:#9db4c0}.spread{stroke:#333}"
    ".must{stroke:#c0392b;stroke-width:1.5}.aim{stroke:#27874b;stroke-width:1.5}"
    ".limit{stroke:#555;stroke-dasharray:2 2}";

std::string figure(double value, const char* unit) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(value >= 100 ? 0 : 1) << value << " " << unit;
  return out.str();
}

double height_of(const WorkloadResult& result) {
  return kTitleHeight + kRow * static_cast<double>(result.peers.size());
}

void draw_group(Canvas& canvas, double top, const WorkloadResult& result) {
  const Workload& workload = *result.workload;
  double longest = 0;
  for (const PeerResult& peer : result.peers) longest = std::max(longest, peer.most());
  if (longest == 0) return;
  const auto x_of = [longest](double value) { return kLeft + (kRight - kLeft) * value / longest; };

  canvas.text(16, top + 24, "title", workload.title);
  double y = top + kTitleHeight - 6;
  const double first_y = y;
  for (const PeerResult& peer : result.peers) {
    const double middle = y + kBarHeight / 2;
    canvas.text(kLeft - 8, middle + 4, "", peer.peer, "end");
    if (!peer.failure.empty()) {
      canvas.text(kLeft + 4, middle + 4, "small", peer.failure);
    } else {
      canvas.rectangle(kLeft, y, x_of(peer.median()) - kLeft, kBarHeight,
                       peer.is_besom ? "besom" : "peer");
      canvas.line(x_of(peer.least()), middle, x_of(peer.most()), middle, "spread");
      canvas.text(x_of(peer.most()) + 6, middle + 4, "small",
                  figure(peer.median(), workload.unit()));
    }
    y += kRow;
  }
  const auto mark = [&](double value, const char* style) {
    if (value > 0 && value <= longest) {
      canvas.line(x_of(value), first_y - 4, x_of(value), y - kRow + kBarHeight + 4, style);
    }
  };
  // A quick run has no bars: they are about the full sizes.
  const PeerResult* const than = result.find(workload.bar.peer);
  if (than != nullptr && !result.bars.empty()) {
    mark(workload.bar.must * than->median(), "must");
    mark(workload.bar.aim * than->median(), "aim");
  }
  mark(result.floor, "limit");
}

}  // namespace

void write_svg(std::ostream& out, const Circumstances& circumstances,
               const std::vector<WorkloadResult>& results) {
  double height = kHeadHeight + 16;
  for (const WorkloadResult& result : results) height += height_of(result);
  Canvas canvas(out, kWidth, height, kStyle);
  canvas.text(16, 28, "head", "Besom and its peers: CPU time, shorter is better");
  canvas.text(16, 46, "small",
              circumstances.cpu_model + ", " + circumstances.kernel + ", " + circumstances.date +
                  ", medians of " + std::to_string(circumstances.runs) +
                  (circumstances.quick ? " (quick: small sizes)" : ""));
  canvas.text(16, 62, "small",
              std::string("Black line: least to most. ") +
                  (circumstances.quick
                       ? "Dotted"
                       : "Besom must end before the red line and aims for the green one; dotted") +
                  ": the machine's limit.");
  double top = kHeadHeight;
  for (const WorkloadResult& result : results) {
    draw_group(canvas, top, result);
    top += height_of(result);
  }
}

}  // namespace bench::compare
