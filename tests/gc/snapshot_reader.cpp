#include "tests/gc/snapshot_reader.hpp"

#include <cctype>
#include <charconv>

#include "tests/support/catch.hpp"

namespace besom::test {
namespace {

constexpr std::uint64_t kNodeFields = 7;
constexpr std::uint64_t kEdgeFields = 3;

/// Takes the text apart from front to back.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool skip(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    const bool found = skip(token);
    INFO("expected " << token << " at: " << rest_.substr(0, 40));
    REQUIRE(found);
  }
  /// All up to `token`, which is passed over.
  std::string_view take_until(std::string_view token) {
    const std::size_t at = rest_.find(token);
    REQUIRE(at != std::string_view::npos);
    const std::string_view taken = rest_.substr(0, at);
    rest_.remove_prefix(at + token.size());
    return taken;
  }
  std::uint64_t number() {
    skip_space();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    REQUIRE(error == std::errc());
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> all;
    expect("[");
    if (skip("]")) return all;
    do all.push_back(number());
    while (skip(","));
    expect("]");
    return all;
  }
  std::string string() {
    expect("\"");
    std::string value;
    while (!rest_.starts_with('"')) {
      REQUIRE_FALSE(rest_.empty());
      REQUIRE(static_cast<unsigned char>(rest_[0]) >= 0x20);
      value += rest_[0] == '\\' ? escape() : std::string(1, rest_[0]);
      rest_.remove_prefix(1);
    }
    rest_.remove_prefix(1);
    return value;
  }
  [[nodiscard]] bool is_at_end() {
    skip_space();
    return rest_.empty();
  }

 private:
  void skip_space() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0])))
      rest_.remove_prefix(1);
  }
  /// Leaves the last character of the escape to be passed over.
  std::string escape() {
    rest_.remove_prefix(1);
    if (rest_.starts_with('"') || rest_.starts_with('\\')) return std::string(1, rest_[0]);
    REQUIRE(rest_.starts_with('u'));
    REQUIRE(rest_.size() > 5);
    unsigned code = 0;
    const auto [end, error] = std::from_chars(rest_.data() + 1, rest_.data() + 5, code, 16);
    REQUIRE((error == std::errc() && end == rest_.data() + 5));
    rest_.remove_prefix(4);
    if (code == 0xfffd) return "\xef\xbf\xbd";
    REQUIRE(code < 0x80);
    return std::string(1, static_cast<char>(code));
  }

  std::string_view rest_;
};

}  // namespace

SnapshotReader::SnapshotReader(std::string_view text) {
  Cursor cursor(text);
  cursor.expect("{\"snapshot\":{\"meta\":{");
  const std::string_view meta = cursor.take_until("},\n\"node_count\":");
  CHECK(meta.find("\"to_node\"") != std::string_view::npos);
  const std::uint64_t node_count = cursor.number();
  cursor.expect(",\"edge_count\":");
  edge_count_ = cursor.number();
  cursor.expect(",\"trace_function_count\":0},");
  cursor.expect("\"nodes\":");
  const std::vector<std::uint64_t> nodes = cursor.numbers();
  cursor.expect(",");
  cursor.expect("\"edges\":");
  const std::vector<std::uint64_t> edges = cursor.numbers();
  cursor.expect(",");
  cursor.expect("\"trace_function_infos\":[],\"trace_tree\":[],\"samples\":[],\"locations\":[],");
  cursor.expect("\"strings\":[");
  do strings_.push_back(cursor.string());
  while (cursor.skip(","));
  cursor.expect("]}");
  REQUIRE(cursor.is_at_end());

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
