#pragma once

#include <besom/besom.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace besom::test {

/// A heap snapshot as a viewer reads it, by a foreign reader of JSON. Fails the test where the text
/// is no snapshot: keys in another order, counts that do not hold, edges that lead to no node.
class SnapshotReader {
 public:
  struct Edge {
    std::uint64_t type;
    std::uint64_t name_or_index;
    std::uint64_t to;  ///< Number of a node.

    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct Node {
    std::uint64_t type;
    std::string name;
    std::uint64_t id;
    std::uint64_t self_size;
    std::vector<Edge> edges;
  };
  static constexpr std::uint64_t kElement = 1;
  static constexpr std::uint64_t kProperty = 2;
  static constexpr std::uint64_t kInternal = 3;
  static constexpr std::uint64_t kWeak = 6;
  static constexpr std::uint64_t kSynthetic = 9;

  explicit SnapshotReader(std::string_view text);

  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::uint64_t edge_count() const { return edge_count_; }
  [[nodiscard]] const std::vector<std::string>& strings() const { return strings_; }
  /// Nodes that are neither the root nor a group of roots.
  [[nodiscard]] std::uint64_t objects() const;
  /// The object's node. Fails the test where there is none.
  [[nodiscard]] const Node& of(std::uint32_t index) const;
  /// The group's edges, as "label -> id", weak ones "label ~> id", in their order.
  [[nodiscard]] std::vector<std::string> roots_in(const std::string& group) const;
  /// The same for an object's edges, elements as "[3] -> id".
  [[nodiscard]] std::vector<std::string> edges_of(std::uint32_t index) const;

 private:
  [[nodiscard]] std::vector<std::string> edges_of(const Node& node) const;

  std::vector<Node> nodes_;
  std::vector<std::string> strings_;
  std::map<std::uint64_t, std::size_t> by_id_;
  std::uint64_t edge_count_ = 0;
};

/// What write_snapshot() writes, read.
[[nodiscard]] std::string snapshot_text(Heap& heap, const SnapshotLabeller& labeller = {});
[[nodiscard]] inline SnapshotReader read_snapshot(Heap& heap,
                                                  const SnapshotLabeller& labeller = {}) {
  return SnapshotReader(snapshot_text(heap, labeller));
}

}  // namespace besom::test
