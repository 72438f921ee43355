#include "bench/compare/result.hpp"

#include <algorithm>

namespace bench::compare {

namespace {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

BarResult bar(const PeerResult& besom, std::string what, double value, double must, double aim) {
  const Verdict verdict = value > must              ? Verdict::missed
                          : aim > 0 && value <= aim ? Verdict::aim_met
                                                    : Verdict::met;
  return {besom.peer, std::move(what), value, must, aim, verdict};
}

/// The bars that say how much more than the bar's peer Besom may take besides time.
void judge_beside(const PeerResult& than, const PeerResult& besom, WorkloadResult& result) {
  const Workload& workload = *result.workload;
  const std::string of_peer = std::string(" x ") + workload.bar.peer;
  if (workload.most_rss_of_peer > 0) {
    result.bars.push_back(bar(besom, "RSS" + of_peer, besom.peak_rss_mib() / than.peak_rss_mib(),
                              workload.most_rss_of_peer, 0));
  }
  if (workload.most_collections_of_peer > 0 && than.collections > 0) {
    result.bars.push_back(bar(besom, "collections" + of_peer, besom.collections / than.collections,
                              workload.most_collections_of_peer, 0));
  }
  if (workload.may_refuse) {
    result.bars.push_back(bar(besom, "refused", besom.refused, than.refused, 0));
  }
}

}  // namespace

double PeerResult::median() const { return median_of(times); }
double PeerResult::least() const {
  return times.empty() ? 0 : *std::min_element(times.begin(), times.end());
}
double PeerResult::most() const {
  return times.empty() ? 0 : *std::max_element(times.begin(), times.end());
}
double PeerResult::peak_rss_mib() const {
  return rss_mib.empty() ? 0 : *std::max_element(rss_mib.begin(), rss_mib.end());
}
double PeerResult::spread_percent() const {
  return times.empty() ? 0 : 100 * (most() - least()) / median();
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::missed:
      return "missed";
    case Verdict::met:
      return "met";
    case Verdict::aim_met:
      return "aim met";
  }
  return "";
}

const PeerResult* WorkloadResult::find(const std::string& peer) const {
  const auto found = std::find_if(peers.begin(), peers.end(),
                                  [&](const PeerResult& result) { return result.peer == peer; });
  return found == peers.end() || !found->failure.empty() ? nullptr : &*found;
}

void judge(WorkloadResult& result, const Limits& limits) {
  const Workload& workload = *result.workload;
  const PeerResult* than = result.find(workload.bar.peer);
  const PeerResult* first = nullptr;
  for (const PeerResult& peer : result.peers) {
    if (!peer.failure.empty()) continue;
    if (first == nullptr) first = &peer;
    result.checks_differ |= peer.check != first->check;
    if (!peer.is_besom) continue;

    if (than != nullptr) {
      const double must = peer.is_generational ? workload.bar.must_generational : workload.bar.must;
      result.bars.push_back(bar(peer, std::string("x ") + workload.bar.peer,
                                peer.median() / than->median(), must, workload.bar.aim));
      judge_beside(*than, peer, result);
    }
    if (workload.most_rss_mib > 0) {
      result.bars.push_back(bar(peer, "MiB RSS", peer.peak_rss_mib(), workload.most_rss_mib, 0));
    }
    if (workload.most_rss_per_live > 0 && peer.live_bytes > 0) {
      result.bars.push_back(bar(peer, "x live RSS", peer.peak_rss_mib() * 0x1p20 / peer.live_bytes,
                                workload.most_rss_per_live, 0));
    }
  }
  if (first != nullptr) result.floor = workload.floor(limits, first->objects);
}

}  // namespace bench::compare
