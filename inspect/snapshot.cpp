/// Heap snapshots in the format that Chrome's DevTools load, `.heapsnapshot`.
/// Source: V8, src/profiler/heap-snapshot-generator.cc, for what the arrays hold and in what order.

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

#include "besom/inspect.hpp"
#include "inspect/file_target.hpp"
#include "inspect/heap_view.hpp"
#include "inspect/json_output.hpp"
#include "inspect/object_ranks.hpp"
#include "inspect/snapshot_roots.hpp"
#include "inspect/snapshot_strings.hpp"

namespace besom {
namespace detail {
namespace {

constexpr const char* kMeta =
    R"({"snapshot":{"meta":{
"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],
"node_types":[["hidden","array","string","object","code","closure","regexp","number","native",
"synthetic","concatenated string","sliced string","symbol","bigint","object shape"],
"string","number","number","number","number","number"],
"edge_fields":["type","name_or_index","to_node"],
"edge_types":[["context","element","property","internal","hidden","shortcut","weak"],
"string_or_number","node"],
"trace_function_info_fields":["function_id","name","script_name","script_id","line","column"],
"trace_node_fields":["id","function_info_index","count","size","children"],
"sample_fields":["timestamp_us","last_assigned_id"],
"location_fields":["object_index","script_id","line","column"]},
"node_count":)";

constexpr std::uint32_t kNodeFields = 7;
constexpr std::uint32_t kSynthetic = 9;  ///< The kind of node that no object stands for.
/// The root's node, then the groups', then the objects'.
constexpr std::uint32_t kFirstObject = 1 + SnapshotStrings::kGroups;
enum EdgeType : std::uint8_t {
  kElementEdge = 1,
  kPropertyEdge = 2,
  kInternalEdge = 3,
  kWeakEdge = 6
};

/// A sum that is the same only for the same numbers in the same order.
struct Tally {
  std::uint64_t sum = 0;
  std::uint64_t hash = 0;
  void add(std::uint64_t number) noexcept {
    sum += number;
    hash = (hash ^ (number + 1)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  friend bool operator==(const Tally&, const Tally&) = default;
};

/// An object as the walks meet it. Nothing is read from its header again.
struct Object {
  Run run;
  TypeId id;             ///< 0 where the header is damaged.
  const TypeInfo* type;  ///< nullptr then.
};

/// Writes one snapshot. An object's number is its rank in address order, so that nothing has to be
/// remembered about objects: each array is written in a walk of its own. What an earlier part of
/// the text says about a later one, the counts of edges, is counted before, and what callbacks say
/// is held against it.
class SnapshotWriter {
 public:
  SnapshotWriter(const HeapView& view, const SnapshotSink& sink,
                 const SnapshotLabeller& labeller) noexcept
      : view_(view),
        addresses_(view.space()),
        labeller_(labeller),
        strings_(view.types()),
        output_(sink) {}

  [[nodiscard]] Result<SnapshotStats> run() noexcept {
    if (!prepare()) return Error{.code = Errc::out_of_host_memory, .detail = "snapshot"};
    count();
    write_head();
    write_nodes();
    write_edges();
    write_tail();
    if (output_.has_failed())
      return Error{.code = Errc::write_failed, .detail = "sink of snapshot"};
    if (!is_consistent_) {
      return Error{.code = Errc::abandoned,
                   .detail = "by a callback that visited or said something else the second time"};
    }
    stats_.bytes = output_.bytes();
    return stats_;
  }

 private:
  [[nodiscard]] bool prepare() noexcept {
    const FreeList& free_list = view_.space().free_list();
    return output_.create() && strings_.create() && roots_.gather(view_, strings_) &&
           ranks_.create(free_list.map(), to_granules(free_list.used_end()));
  }

  /// Visits nothing any more once the sink has failed.
  template <class Visit>
  void each(Visit visit) {
    view_.each_object([&](Run run) {
      if (output_.has_failed()) return;
      const Header header = load_header(address_of(run));
      const TypeInfo* type = checked_type(view_.types(), header, run.size_bytes);
      visit(Object{run, type != nullptr ? header.type : 0, type});
    });
  }
  /// Calls `visit(slot)` for each slot that leads to an object. Returns how many were bad.
  template <class Visit>
  std::uint64_t each_edge(const Object& object, Visit visit) {
    std::uint64_t bad = 0;
    if (object.type == nullptr) return bad;
    each_slot(addresses_, object.run, *object.type, [&](const ObjectSlot& slot) {
      if (!names_object(slot.bits, slot.kind)) return;
      if (addresses_.is_object(slot.bits)) {
        visit(slot);
      } else {
        ++bad;
      }
    });
    return bad;
  }

  void count() {
    stats_.objects = ranks_.count();
    stats_.bad_refs = roots_.bad_refs();
    stats_.edges = SnapshotStrings::kGroups + roots_.edges().size();
    each([&](const Object& object) {
      std::uint64_t edges = 0;
      if (object.type == nullptr) ++stats_.bad_headers;
      stats_.bad_refs += each_edge(object, [&](const ObjectSlot&) { ++edges; });
      counted_edges_.add(edges);
    });
    stats_.edges += counted_edges_.sum;
  }

  void write_head() {
    output_.text(kMeta);
    output_.number(kFirstObject + stats_.objects);
    output_.text(",\"edge_count\":");
    output_.number(stats_.edges);
    output_.text(",\"trace_function_count\":0},\n\"nodes\":[");
  }

  void write_node(std::uint32_t kind, std::uint32_t name, std::uint32_t id, std::uint32_t bytes,
                  std::uint64_t edges) {
    const std::uint64_t fields[] = {kind, name, id, bytes, edges, 0, 0};
    static_assert(std::size(fields) == kNodeFields);
    write_fields(fields);
  }
  void write_edge(EdgeType type, std::uint32_t name_or_index, std::uint32_t ordinal) {
    const std::uint64_t fields[] = {type, name_or_index, std::uint64_t{ordinal} * kNodeFields};
    write_fields(fields);
  }
  void write_fields(std::span<const std::uint64_t> fields) {
    for (const std::uint64_t field : fields) {
      output_.text(separator_);
      output_.number(field);
      separator_ = ",";
    }
    separator_ = ",\n";
  }
  void begin_array() { separator_ = ""; }

  /// Objects have their indices as ids, which are even; what is no object has odd ones.
  void write_nodes() {
    begin_array();
    write_node(kSynthetic, SnapshotStrings::kRootName, 1, 0, SnapshotStrings::kGroups);
    for (std::uint32_t group = 0; group < SnapshotStrings::kGroups; ++group) {
      write_node(kSynthetic, SnapshotStrings::kGroupName + group, 3 + 2 * group, 0,
                 roots_.edges_of(group));
    }
    Tally edges;
    std::uint32_t next_string = strings_.count();
    each([&](const Object& object) {
      std::uint64_t count = 0;
      each_edge(object, [&](const ObjectSlot&) { ++count; });
      edges.add(count);
      const SnapshotLabel label = label_of(object);
      labelled_.add(label.length);
      std::uint32_t name = SnapshotStrings::kDamaged;
      if (label.length != 0) {
        name = next_string++;
      } else if (object.type != nullptr) {
        name = strings_.of_type(object.id);
      }
      write_node(static_cast<std::uint32_t>(label.kind), name, object.run.index,
                 object.run.size_bytes, count);
    });
    expect_same(edges, counted_edges_);
  }

  void write_edges() {
    output_.text("],\n\"edges\":[");
    begin_array();
    for (std::uint32_t group = 0; group < SnapshotStrings::kGroups; ++group) {
      write_edge(kElementEdge, group, 1 + group);
    }
    for (std::uint32_t group = 0; group < SnapshotStrings::kGroups; ++group) {
      for (const RootEdge& edge : roots_.edges()) {
        if (edge.group != group) continue;
        write_edge(edge.is_weak ? kWeakEdge : kInternalEdge, edge.name, ordinal_of(edge.target));
      }
    }
    Tally edges;
    each([&](const Object& object) {
      std::uint64_t count = 0;
      each_edge(object, [&](const ObjectSlot& slot) {
        ++count;
        write_slot(object, slot);
      });
      edges.add(count);
    });
    expect_same(edges, counted_edges_);
  }

  /// The number of an element can only stand where the edge is strong.
  void write_slot(const Object& object, const ObjectSlot& slot) {
    const std::uint32_t target = ordinal_of(slot.bits);
    const bool is_weak = slot.kind == SlotKind::weak;
    if (slot.field != nullptr) {
      const auto number =
          static_cast<std::uint32_t>(slot.field - object.type->descriptor->fields.data());
      write_edge(is_weak ? kWeakEdge : kPropertyEdge, strings_.of_type(object.id) + 1 + number,
                 target);
    } else if (slot.by_callback) {
      write_edge(kInternalEdge, SnapshotStrings::kCallback, target);
    } else if (!is_weak) {
      write_edge(kElementEdge, slot.element, target);
    } else {
      const Trailing trailing = object.type->trailing;
      write_edge(kWeakEdge,
                 trailing == Trailing::weak         ? SnapshotStrings::kElement
                 : trailing == Trailing::ephemerons ? SnapshotStrings::kKey
                                                    : SnapshotStrings::kValue,
                 target);
    }
  }

  void write_tail() {
    output_.text(
        "],\n\"trace_function_infos\":[],\"trace_tree\":[],\"samples\":[],\"locations\":[],\n"
        "\"strings\":[");
    strings_.write(output_);
    if (labeller_.label != nullptr) write_labels();
    output_.text("]}\n");
    output_.flush();
  }
  void write_labels() {
    Tally labelled;
    each([&](const Object& object) {
      const SnapshotLabel label = label_of(object);
      labelled.add(label.length);
      if (label.length == 0) return;
      output_.text(",\n");
      output_.string({label.text, label.length});
    });
    expect_same(labelled, labelled_);
  }

  [[nodiscard]] SnapshotLabel label_of(const Object& object) const {
    SnapshotLabel label;
    if (object.type == nullptr || labeller_.label == nullptr) return label;
    labeller_.label(labeller_.user,
                    {.ref = Ref<void>(object.run.index),
                     .header = reinterpret_cast<const Header*>(address_of(object.run)),
                     .type = object.type->descriptor,
                     .type_id = object.id,
                     .size_bytes = object.run.size_bytes},
                    label);
    label.length = std::min(label.length, SnapshotLabel::kMaxBytes);
    if (label.kind > SnapshotKind::bigint) label.kind = SnapshotKind::object;
    return label;
  }
  [[nodiscard]] const char* address_of(Run run) const { return view_.space().base() + run.index; }
  [[nodiscard]] std::uint32_t ordinal_of(std::uint32_t index) const {
    return kFirstObject + ranks_.rank_of(to_granules(index));
  }
  void expect_same(const Tally& a, const Tally& b) noexcept {
    is_consistent_ = is_consistent_ && a == b;
  }

  const HeapView& view_;
  const Addresses addresses_;
  const SnapshotLabeller& labeller_;
  SnapshotStrings strings_;
  SnapshotRoots roots_;
  ObjectRanks ranks_;
  JsonOutput output_;
  const char* separator_ = "";
  SnapshotStats stats_;
  Tally counted_edges_;
  Tally labelled_;
  bool is_consistent_ = true;
};

Error missing(const char* detail) noexcept {
  return {.code = Errc::bad_argument, .detail = detail};
}

}  // namespace
}  // namespace detail

Result<SnapshotStats> write_snapshot(Heap& heap, const SnapshotSink& sink,
                                     const SnapshotLabeller& labeller) noexcept {
  return detail::read(heap, [&](const detail::HeapView& view) -> Result<SnapshotStats> {
    if (sink.write == nullptr) {
      return detail::missing("write_snapshot(): a sink that writes nothing");
    }
    return detail::SnapshotWriter(view, sink, labeller).run();
  });
}

Result<SnapshotStats> save_snapshot(Heap& heap, const char* name,
                                    const SnapshotLabeller& labeller) noexcept {
  const detail::HeapParts& parts = detail::parts_of(heap);
  if (!parts.collector->may_enter()) return parts.error;
  if (name == nullptr) return detail::missing("save_snapshot(): no name");
  detail::FileTarget target(parts.space->arena().system());
  if (const Error error = target.file.open(name)) return error;
  const Result<SnapshotStats> written = write_snapshot(heap, target.sink(), labeller);
  if (target.error) return target.error;
  if (!written) return written;
  if (const Error error = target.file.commit()) return error;
  return written;
}

}  // namespace besom
