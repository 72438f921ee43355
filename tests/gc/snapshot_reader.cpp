#include "tests/gc/snapshot_reader.hpp"

#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"

namespace besom::test {
namespace {

// Keeps the order of the keys, on which the viewer relies.
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kNodeFields = 7;
constexpr std::uint64_t kEdgeFields = 3;

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

}  // namespace

SnapshotReader::SnapshotReader(std::string_view text) {
  const Json snapshot = Json::parse(text, nullptr, false);
  REQUIRE_FALSE(snapshot.is_discarded());
  REQUIRE(keys_of(snapshot) == std::vector<std::string>{"snapshot", "nodes", "edges",
                                                        "trace_function_infos", "trace_tree",
                                                        "samples", "locations", "strings"});
  const Json& head = snapshot["snapshot"];
  REQUIRE(keys_of(head) ==
          std::vector<std::string>{"meta", "node_count", "edge_count", "trace_function_count"});
  CHECK(head["meta"]["node_fields"].size() == kNodeFields);
  CHECK(head["meta"]["edge_fields"] == Json{"type", "name_or_index", "to_node"});
  CHECK(head["trace_function_count"] == 0);
  for (const char* key : {"trace_function_infos", "trace_tree", "samples", "locations"}) {
    CHECK(snapshot[key] == Json::array());
  }
  const auto node_count = head["node_count"].get<std::uint64_t>();
  edge_count_ = head["edge_count"].get<std::uint64_t>();
  const auto nodes = snapshot["nodes"].get<std::vector<std::uint64_t>>();
  const auto edges = snapshot["edges"].get<std::vector<std::uint64_t>>();
  strings_ = snapshot["strings"].get<std::vector<std::string>>();

  REQUIRE(nodes.size() == node_count * kNodeFields);
  REQUIRE(edges.size() == edge_count_ * kEdgeFields);
  std::size_t edge = 0;
  bool good = true;
  for (std::size_t i = 0; i < nodes.size(); i += kNodeFields) {
    REQUIRE(nodes[i + 1] < strings_.size());
    REQUIRE(edge + nodes[i + 4] * kEdgeFields <= edges.size());
    Node node{.type = nodes[i],
              .name = strings_[nodes[i + 1]],
              .id = nodes[i + 2],
              .self_size = nodes[i + 3],
              .edges = {}};
    for (std::uint64_t k = 0; k < nodes[i + 4]; ++k, edge += kEdgeFields) {
      good = good && edges[edge + 2] % kNodeFields == 0 && edges[edge + 2] < nodes.size();
      if (edges[edge] != kElement) good = good && edges[edge + 1] < strings_.size();
      node.edges.push_back({edges[edge], edges[edge + 1], edges[edge + 2] / kNodeFields});
    }
    good = good && node.type <= 14 && nodes[i + 5] == 0 && nodes[i + 6] == 0;
    good = good && by_id_.emplace(node.id, nodes_.size()).second;
    nodes_.push_back(std::move(node));
  }
  REQUIRE(good);
  REQUIRE(edge == edges.size());
}

std::uint64_t SnapshotReader::objects() const {
  std::uint64_t count = 0;
  for (const Node& node : nodes_) count += node.type != kSynthetic;
  return count;
}

const SnapshotReader::Node& SnapshotReader::of(std::uint32_t index) const {
  const auto found = by_id_.find(index);
  INFO("object " << index);
  REQUIRE(found != by_id_.end());
  return nodes_[found->second];
}

std::vector<std::string> SnapshotReader::roots_in(const std::string& group) const {
  for (const Edge& edge : nodes_[0].edges) {
    if (nodes_[edge.to].name == group) return edges_of(nodes_[edge.to]);
  }
  FAIL("no group " << group);
  return {};
}

std::vector<std::string> SnapshotReader::edges_of(std::uint32_t index) const {
  return edges_of(of(index));
}

std::vector<std::string> SnapshotReader::edges_of(const Node& node) const {
  std::vector<std::string> texts;
  for (const Edge& edge : node.edges) {
    std::string& text = texts.emplace_back();
    if (edge.type == kElement) {
      text.append("[").append(std::to_string(edge.name_or_index)).append("]");
    } else {
      text = strings_[edge.name_or_index];
    }
    text.append(edge.type == kWeak ? " ~> " : " -> ").append(std::to_string(nodes_[edge.to].id));
  }
  return texts;
}

std::string snapshot_text(Heap& heap, const SnapshotLabeller& labeller) {
  std::string text;
  const SnapshotSink sink{[](void* user, const char* bytes, std::size_t count) {
                            static_cast<std::string*>(user)->append(bytes, count);
                            return true;
                          },
                          &text};
  const Result<SnapshotStats> stats = write_snapshot(heap, sink, labeller);
  INFO(stats.error().message());
  REQUIRE(stats);
  CHECK(stats->bytes == text.size());
  return text;
}

}  // namespace besom::test
