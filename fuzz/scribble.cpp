/// A program that overwrites what its heap holds, at random, between collections: headers, lengths,
/// refs, free space, tables. Whatever it writes, the library touches nothing outside, does bounded
/// work, keeps its tables sound and a second heap unchanged; afterwards reset() restores service.
///
/// In the last rounds a second thread writes while collections run. That is a data race by intent,
/// so that part is left out under TSan; what happens there no seed replays.

#include <algorithm>
#include <atomic>
#include <besom/besom.hpp>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/seed.hpp"

namespace besom::fuzz {
namespace {

using detail::EntryTable;
using test::Random;

constexpr int kUsage = 64;
constexpr int kFailed = 70;
constexpr std::uint64_t kKiB = 1 << 10;
#if defined(__SANITIZE_THREAD__)
constexpr bool kRaces = false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kRaces = false;
#else
constexpr bool kRaces = true;
#endif
#else
constexpr bool kRaces = true;
#endif

struct Counts {
  std::uint64_t rounds = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t allocations = 0;
  std::uint64_t refused_allocations = 0;
  std::uint64_t bad_refs = 0;
  std::uint64_t bad_headers = 0;
  std::uint64_t defects = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t checked_refs = 0;
  std::uint64_t agents = 0;
  std::uint64_t released = 0;
  std::uint64_t table_calls = 0;
  std::uint64_t refused_puts = 0;
  std::uint64_t written_meanwhile = 0;
  std::uint64_t longest_ns = 0;
};

/// Prints and gives up.
void require(bool good, const char* what, std::uint64_t figure, const Counts& counts) {
  if (good) return;
  std::printf("FAILED: %s (0x%" PRIx64 ") in round %" PRIu64 "\n", what, figure, counts.rounds);
  std::exit(kFailed);
}

/// A thread that writes into [base, base + bytes) from its making to its end.
class Writer {
 public:
  Writer(char* base, std::uint64_t bytes, std::uint64_t seed)
      : thread_([this, base, bytes, seed] { run(base, bytes, seed); }) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { stop(); }

  /// How much it has written.
  std::uint64_t stop() {
    is_over_.store(true, std::memory_order_relaxed);
    if (thread_.joinable()) thread_.join();
    return written_;
  }

 private:
  /// Words as they stand in headers, slots and the collector's links. The sanitizers know nothing
  /// of the arena but what is poisoned, which nothing is here.
  void run(char* base, std::uint64_t bytes, std::uint64_t seed) {
    Random random(seed);
    const auto words = static_cast<std::uint32_t>(bytes / 4);
    while (!is_over_.load(std::memory_order_relaxed)) {
      auto word = static_cast<std::uint32_t>(random.next());
      const std::uint32_t place = random.below(words) * 4;
      switch (random.below(4)) {
        case 0:  // a ref, or an entry's link
          word = place & ~7u;
          if (random.chance(50)) word |= 2 * random.below(4);
          break;
        case 1:  // a link as in a header
          word = (place >> 3) | random.below(8) << 29;
          break;
        case 2:  // a type or a small length
          word = random.below(20);
          break;
        default:
          break;
      }
      __atomic_store_n(reinterpret_cast<std::uint32_t*>(base + random.below(words) * 4), word,
                       __ATOMIC_RELAXED);
      written_ += sizeof word;
    }
  }

  std::atomic<bool> is_over_ = false;
  std::uint64_t written_ = 0;
  std::thread thread_;
};

/// A heap with objects of each kind of type, whose contents are not to be trusted.
class Victim {
 public:
  Victim(const HeapOptions& options, Random& random, Counts& counts)
      : random_(random), counts_(counts) {
    Result<HeapPtr> heap = Heap::create(options);
    require(static_cast<bool>(heap), "heap", static_cast<std::uint64_t>(heap.error().code), counts);
    heap_ = std::move(*heap);
    define({.name = "pair", .size = 16, .fields = {{"a", 8}, {"b", 12, SlotKind::value}}});
    define({.name = "wide", .size = 200, .fields = {{"a", 8}, {"b", 100}, {"c", 196}}});
    define({.name = "plain", .size = 40});
    define({.name = "refs", .size = 8, .trailing = Trailing::refs});
    define({.name = "values", .size = 16, .fields = {{"a", 8}}, .trailing = Trailing::values});
    define({.name = "bytes", .size = 9, .trailing = Trailing::bytes});
    // It believes its extent, as a callback has to, and nothing that it reads.
    define({.name = "traced",
            .size = 8,
            .trailing = Trailing::bytes,
            .trace = [](const void* object, std::uint32_t size_bytes, Tracer& tracer) {
              for (std::uint32_t at = 8; at + 4 <= size_bytes; at += 4) {
                std::uint32_t bits;
                std::memcpy(&bits, static_cast<const char*>(object) + at, sizeof bits);
                tracer.visit(bits);
              }
            }});
    define({.name = "pointed",
            .size = 48,
            .fields = {{"a", 8, SlotKind::pointer}, {"b", 40, SlotKind::pointer}}});
    define({.name = "pointers", .size = 8, .trailing = Trailing::pointers});
    define({.name = "words",
            .size = 8,
            .trailing = Trailing::bytes,
            .trace = [](const void* object, std::uint32_t size_bytes, Tracer& tracer) {
              for (std::uint32_t at = 8; at + 8 <= size_bytes; at += 8) {
                std::uint64_t word;
                std::memcpy(&word, static_cast<const char*>(object) + at, sizeof word);
                tracer.visit_pointer(reinterpret_cast<const void*>(word));
                tracer.visit_interior(reinterpret_cast<const void*>(word));
                tracer.visit_word(word);
              }
            }});
    define({.name = "boxed",
            .size = 40,
            .fields = {{"a", 8, SlotKind::box}, {"b", 16}, {"c", 32, SlotKind::box}},
            .box = {.mask = 1, .tag = 0, .shift = 12}});
    define({.name = "boxes",
            .size = 8,
            .trailing = Trailing::boxes,
            .box = {.mask = std::uint64_t{3} << 62, .payload = BoxPayload::address}});
    scan_ambiguous();
    define({.name = "weak", .size = 16, .fields = {{"a", 8, SlotKind::weak}, {"b", 12}}});
    define({.name = "weak array", .size = 8, .trailing = Trailing::weak});
    define({.name = "ephemerons", .size = 8, .trailing = Trailing::ephemerons});
    define({.name = "weak values", .size = 16, .trailing = Trailing::weak_values});
    TypeDescriptor released{.name = "released", .size = 32};
    released.release_user = &counts_;
    released.release = [](void* user, void*, std::uint32_t) {
      ++static_cast<Counts*>(user)->released;
    };
    define(released);
    key_table_ = define(WeakKeyTable::type());
    value_table_ = define(WeakValueTable::type());
    key_entries_ = define(EphemeronArray::type());
    value_entries_ = define(WeakValueArray::type());
    guardian_ = Guardian(*heap_);
    weak_.resize(64);
    handles_.resize(64);
    make_tables();
    fill();
  }

  TypeId define(const TypeDescriptor& descriptor) {
    const Result<TypeId> type = heap_->define(descriptor);
    require(static_cast<bool>(type), "type", 0, counts_);
    types_.push_back(*type);
    return *type;
  }

  /// Objects until `count` are there or the heap is full, linked at random.
  void fill(int count = 3000) {
    std::vector<std::uint32_t> indices(1, 0);
    for (int i = 0; i < count; ++i) {
      Header* object = allocate();
      if (object == nullptr) return;
      const Ref<Header> ref(object);
      indices.push_back(ref.index());
      const TypeId type = object->type;
      const bool has_entries = type == key_entries_ || type == value_entries_;
      for (std::uint32_t at = 8; at + 4 <= (has_entries ? 8 + 8 * object->length : 16); at += 4) {
        const std::uint32_t bits =
            indices[random_.below(static_cast<std::uint32_t>(indices.size()))];
        std::memcpy(reinterpret_cast<char*>(object) + at, &bits, sizeof bits);
      }
      if (i % 64 == 1) weak_[random_.below(64)] = Weak<Header>(*heap_, object);
      if (i % 64 == 2) {
        const Handle<Header>& handle = handles_[random_.below(64)];
        const Header* agent = handle ? handle.get() : nullptr;
        // The agent's header may have been overwritten.
        const Errc code = guardian_.guard(object, random_.chance(50) ? agent : nullptr).code;
        require(code == Errc::ok || code == Errc::bad_ref, "guard",
                static_cast<std::uint64_t>(code), counts_);
      }
      if (i % 16 == 0) handles_[random_.below(64)] = Handle<Header>(*heap_, object);
    }
  }

  Header* allocate() {
    const TypeId type = types_[random_.below(static_cast<std::uint32_t>(types_.size()))];
    const std::uint32_t length = random_.below(random_.chance(90) ? 40 : 4000);
    auto* object = static_cast<Header*>(heap_->allocate(type, length));
    ++counts_.allocations;
    if (object == nullptr) {
      ++counts_.refused_allocations;
      require(heap_->error().code == Errc::heap_limit, "why an allocation was refused",
              static_cast<std::uint64_t>(heap_->error().code), counts_);
      return nullptr;
    }
    require(object->type == type && object->length == length, "a new header", type, counts_);
    require(static_cast<bool>(heap_->check(Ref<void>(Ref<Header>(object)))), "a new object", type,
            counts_);
    return object;
  }

  /// With a thread that writes during the collection.
  void race() {
    Writer writer(base(), heap_->stats().committed, random_.next());
    for (int i = 0; i < 3; ++i) collect();
    counts_.written_meanwhile += writer.stop();
  }

  void round() {
    scribble();
    use_tables();
    for (std::uint64_t& word : ambiguous_) word = any_pointer();
    if (random_.chance(30)) fill(static_cast<int>(random_.below(200)));
    if (random_.chance(2)) fill(20'000);  // to the limit
    if (random_.chance(30)) drop();
    take_agents();
    collect();
    ask();
    // Checks the tables, too: aborts on a contradiction.
    if (random_.chance(15)) counts_.defects += verify(*heap_).found();
    if (random_.chance(5)) write_snapshot();
    if (random_.below(1000) == 0) {
      restore();
      make_tables();
      fill();
    }
  }

  void collect() {
    const Error error = heap_->collect();
    require(!error, "collect", static_cast<std::uint64_t>(error.code), counts_);
    const CollectionStats& last = heap_->last_collection();
    counts_.bad_refs += last.bad_refs;
    counts_.bad_headers += last.bad_headers;
    counts_.longest_ns = std::max(counts_.longest_ns, last.pause_ns);
    const HeapStats stats = heap_->stats();
    for (const Weak<Header>& weak : weak_) {
      const Header* target = weak ? weak.get() : nullptr;
      require(target == nullptr || heap_->object_start(target) == target, "a weak handle",
              weak ? weak.ref().index() : 0, counts_);
    }
    require(last.live_bytes <= stats.capacity && stats.capacity <= heap_->options().heap_max,
            "live bytes", last.live_bytes, counts_);
    require(last.live_objects * 16 <= last.live_bytes, "live objects", last.live_objects, counts_);
  }

  /// Drops everything; then there is service as on the first day.
  void restore() {
    require(!heap_->reset(), "reset", 0, counts_);
    for (const Handle<Header>& handle : handles_) {
      require(!handle, "a handle after a reset", 0, counts_);
    }
    keys_.reset();
    values_.reset();
    std::fill(std::begin(ambiguous_), std::end(ambiguous_), 0);
    scan_ambiguous();
    for (const Weak<Header>& weak : weak_)
      require(!weak, "a weak handle after a reset", 0, counts_);
    require(guardian_.pending() + guardian_.ready() == 0, "a guardian after a reset", 0, counts_);
    const VerifyReport report = verify(*heap_);
    require(report.ok() && report.objects == 0, "verify after a reset", report.found(), counts_);
    use_all();
    Handle<Header> list(*heap_, nullptr);
    std::uint64_t count = 0;
    while (count < heap_->options().heap_max / 32) {
      auto* object = static_cast<Header*>(heap_->allocate(types_[0]));
      require(object != nullptr, "allocation after a reset", count, counts_);
      std::uint32_t zeros[2];
      std::memcpy(zeros, object + 1, sizeof zeros);
      require(zeros[0] == 0 && zeros[1] == 0, "new memory after a reset", zeros[0], counts_);
      const std::uint32_t next = list.ref().index();
      std::memcpy(object + 1, &next, sizeof next);
      list.set(object);
      ++count;
    }
    require(!heap_->collect(), "collect after a reset", 0, counts_);
    require(heap_->last_collection().live_objects == count, "objects after a reset",
            heap_->last_collection().live_objects, counts_);
    require(verify(*heap_).ok(), "verify after a reset", 1, counts_);
  }

  [[nodiscard]] Heap& heap() { return *heap_; }
  [[nodiscard]] char* base() const { return detail::base_of(*heap_); }

 private:
  /// The heap takes memory for zero that it never handed out, or gave back to the system. What was
  /// written there shows in the objects that come next, and in none after them.
  void use_all() {
    Handle<Header> list(*heap_, nullptr);
    while (auto* object = static_cast<Header*>(heap_->allocate(types_[0]))) {
      const std::uint32_t next = list.ref().index();
      std::memcpy(object + 1, &next, sizeof next);
      list.set(object);
    }
    require(!heap_->reset(), "reset", 1, counts_);
  }

  void write_snapshot() {
    const SnapshotSink nowhere{[](void*, const char*, std::size_t) { return true; }, nullptr};
    const Result<SnapshotStats> stats = besom::write_snapshot(*heap_, nowhere);
    require(static_cast<bool>(stats), "snapshot", static_cast<std::uint64_t>(stats.error().code),
            counts_);
    require(stats->objects == heap_->last_collection().live_objects, "objects in a snapshot",
            stats->objects, counts_);
    ++counts_.snapshots;
  }

  /// What is handed out is an object by the tables, whatever its bytes say.
  void take_agents() {
    for (std::uint32_t i = random_.below(20); i > 0; --i) {
      const Result<void*> agent = guardian_.next();
      require(static_cast<bool>(agent), "next agent", 0, counts_);
      if (*agent == nullptr) return;
      require(heap_->object_start(*agent) == *agent, "an agent", Ref<void>(*agent).index(),
              counts_);
      ++counts_.agents;
    }
  }

  /// The arrays are what the tables made of them: entries of their own, or anything since.
  void make_tables() {
    keys_ = Handle<WeakKeyTable>(*heap_, make_table(*heap_, Type<WeakKeyTable>{key_table_},
                                                    Type<EphemeronArray>{key_entries_}));
    values_ = Handle<WeakValueTable>(*heap_, make_table(*heap_, Type<WeakValueTable>{value_table_},
                                                        Type<WeakValueArray>{value_entries_}));
  }

  /// Tables made anew now and then: those that were overwritten take nothing any more.
  void use_tables() {
    if (!keys_ || !values_ || random_.chance(3)) make_tables();
    if (keys_) use(*keys_.get());
    if (values_) use(*values_.get());
  }

  template <class Table>
  void use(Table& table) {
    for (std::uint32_t i = random_.below(12); i > 0; --i) {
      ++counts_.table_calls;
      const Value key = any_key();
      switch (random_.below(8)) {
        case 0:
          require(table.size(*heap_) <= table.capacity(*heap_), "size of a table", 0, counts_);
          break;
        case 1: {
          std::uint64_t visited = 0;
          table.each(*heap_, [&](Value, Value) { ++visited; });
          require(visited <= heap_->options().heap_max / 8, "entries", visited, counts_);
          break;
        }
        case 2:
          static_cast<void>(table.get(*heap_, key));
          break;
        case 3:
          static_cast<void>(table.remove(*heap_, key));
          static_cast<void>(table.contains(*heap_, key));
          break;
        default: {
          const Errc code = table.put(*heap_, key, any_key()).code;
          const bool is_sound = code == Errc::ok;
          require(is_sound || code == Errc::bad_ref || code == Errc::bad_type ||
                      code == Errc::heap_limit || code == Errc::object_too_large,
                  "put", static_cast<std::uint64_t>(code), counts_);
          if (!is_sound) ++counts_.refused_puts;
          break;
        }
      }
    }
  }

  Value any_key() {
    const Handle<Header>& handle = handles_[random_.below(64)];
    if (handle && random_.chance(50)) return Ref<Header>(handle.get());
    return Value::integer(static_cast<std::int32_t>(random_.below(1000)) + 1);
  }

  /// Where a table's fields or its array's header are, and what could be there by mistake.
  void scribble_table() {
    const EntryTable* table = random_.chance(50) ? static_cast<EntryTable*>(keys_.get())
                                                 : static_cast<EntryTable*>(values_.get());
    if (table == nullptr) return;
    const auto end = static_cast<std::uint32_t>(heap_->stats().capacity);
    std::uint32_t word = random_.below(20);
    if (random_.chance(60)) word = end - random_.below(200);
    if (random_.chance(30)) word = 1u << random_.below(32);
    if (random_.chance(50)) word &= ~15u;
    const std::uint32_t at = Ref<EntryTable>(table).index();
    const std::uint32_t array = table->entries.ref().index();
    const std::uint32_t places[] = {at, at + 4, at + 8, at + 12, at + 16, array, array + 4};
    write(places[random_.below(std::size(places))], &word, sizeof word);
  }

  void drop() {
    for (std::uint32_t i = random_.below(20); i > 0; --i) handles_[random_.below(64)].reset();
  }

  void write(std::uint64_t at, const void* bytes, std::uint64_t count) {
    const std::uint64_t end = heap_->stats().committed;
    if (at >= end) return;
    count = std::min(count, end - at);
    std::memcpy(base() + at, bytes, count);
    counts_.bytes_written += count;
  }

  /// A reset ends the registration.
  void scan_ambiguous() {
    range_ = heap_->add_ambiguous_range(ambiguous_, std::end(ambiguous_), "ambiguous");
    require(static_cast<bool>(range_), "range", 0, counts_);
  }

  /// Near the arena most of the time, and anywhere else.
  std::uint64_t any_pointer() {
    if (random_.chance(20)) return random_.next();
    const std::uint64_t offset = random_.next() >> (random_.chance(80) ? 45 : random_.below(64));
    return reinterpret_cast<std::uintptr_t>(base()) + (random_.chance(50) ? offset & ~15u : offset);
  }

  void scribble() {
    const auto committed = static_cast<std::uint32_t>(heap_->stats().committed);
    const std::uint32_t spans = 1 + (random_.below(256) >> random_.below(8));
    for (std::uint32_t i = 0; i < spans; ++i) {
      const std::uint32_t at = random_.below(committed);
      unsigned char buffer[512];
      std::uint32_t words[4];
      std::uint64_t pointers[2];
      switch (random_.below(10)) {
        case 9:
          if (random_.chance(20)) scribble_table();
          break;
        case 0:  // noise
          for (unsigned char& byte : buffer) byte = static_cast<unsigned char>(random_.next());
          write(at, buffer, 1 + random_.below(sizeof buffer));
          break;
        case 1:  // one value over and over
          std::memset(buffer, static_cast<int>(random_.below(256)), sizeof buffer);
          write(at, buffer, 1 + random_.below(sizeof buffer));
          break;
        case 2:  // a header: any type, any length
          words[0] = random_.below(18);
          words[1] =
              random_.chance(50) ? ~std::uint32_t{0} >> random_.below(32) : random_.below(64);
          write(at & ~15u, words, 8);
          break;
        case 3:  // refs, most of them to object starts by chance
          for (std::uint32_t& word : words) word = random_.below(committed) & ~15u;
          write(at & ~3u, words, sizeof words);
          break;
        case 4:  // refs with low bits, out of range
          for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random_.next());
          write(at & ~3u, words, sizeof words);
          break;
        case 5:  // one bit
          base()[at] = static_cast<char>(base()[at] ^ (1 << random_.below(8)));
          ++counts_.bytes_written;
          break;
        case 6:  // pages
          if (random_.below(64) == 0) {
            std::vector<unsigned char> page(4096 * (1 + random_.below(16)));
            for (unsigned char& byte : page) byte = static_cast<unsigned char>(random_.next());
            write(at, page.data(), page.size());
          }
          break;
        case 7:  // raw pointers, or as the collector's own links
          if (random_.chance(50)) {
            for (std::uint64_t& pointer : pointers) pointer = any_pointer();
            write(at & ~7u, pointers, sizeof pointers);
            break;
          }
          for (std::uint32_t& word : words) {
            const std::uint32_t place = random_.below(committed) & ~7u;
            word = random_.chance(50) ? place | (2 * (1 + random_.below(3)))
                                      : (place >> 3) | random_.below(8) << 29;
          }
          write(at & ~7u, words, sizeof words);
          break;
        default: {  // where objects are for certain
          const Handle<Header>& handle = handles_[random_.below(64)];
          if (!handle) break;
          words[0] =
              random_.chance(50) ? random_.below(17) : static_cast<std::uint32_t>(random_.next());
          words[1] = static_cast<std::uint32_t>(random_.next());
          words[2] = random_.below(committed);
          words[3] = static_cast<std::uint32_t>(random_.next());
          write(handle.ref().index(), words, sizeof words);
          break;
        }
      }
    }
  }

  /// Checked access with refs and addresses of all kinds.
  void ask() {
    for (int i = 0; i < 20; ++i) {
      const auto bits =
          random_.chance(50)
              ? static_cast<std::uint32_t>(random_.next())
              : random_.below(static_cast<std::uint32_t>(heap_->stats().committed)) & ~15u;
      const Result<Header*> header = heap_->check(Ref<void>(bits), random_.below(17));
      if (header) {
        require((*header)->type - 1 < types_.size(), "type of a checked object", (*header)->type,
                counts_);
        require(heap_->object_start(*header) == *header, "start of a checked object", bits,
                counts_);
      }
      const Header* start = heap_->object_start(base() + bits);
      require(start == nullptr ||
                  (reinterpret_cast<const char*>(start) <= base() + bits && heap_->contains(start)),
              "start of an object", bits, counts_);
      ++counts_.checked_refs;
    }
  }

  Random& random_;
  Counts& counts_;
  std::unique_ptr<Heap> heap_;
  std::vector<TypeId> types_;
  std::vector<Handle<Header>> handles_;
  std::uint64_t ambiguous_[32] = {};
  RootRegistration range_;
  std::vector<Weak<Header>> weak_;
  Guardian guardian_;
  TypeId key_table_ = 0;
  TypeId value_table_ = 0;
  TypeId key_entries_ = 0;
  TypeId value_entries_ = 0;
  Handle<WeakKeyTable> keys_;
  Handle<WeakValueTable> values_;
};

HeapOptions options_of(std::uint32_t variant) {
  HeapOptions options;
  options.read_environment = false;
  options.log = LogLevel::off;
  options.zeal = {0, false, false};
  options.heap_max = 512 * kKiB;
  options.heap_initial = 64 * kKiB;
  options.hash_seed = 1;
  if (variant == 1) options.reserve = options.heap_max;
  if (variant == 1) options.generational = true;
  if (variant == 2) options.mark_stack = 64;
  if (variant == 3) {
    options.heap_max = options.heap_initial = 4096 * kKiB;
    options.growth = Growth::fixed();
  }
  options.incremental = variant >= 4;
  options.slice = 20;
  if (variant == 5) options.generational = true;
  return options;
}

std::uint64_t hash_of(Victim& victim) {
  std::uint64_t hash = 14695981039346656037u;
  const char* bytes = victim.base();
  for (std::uint64_t i = 0; i < victim.heap().stats().committed; ++i) {
    hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 1099511628211u;
  }
  return hash;
}

void run(std::uint64_t rounds, std::uint64_t seed) {
  Counts counts;
  for (std::uint32_t variant = 0; variant < 6; ++variant) {
    Random random(seed + variant);
    Victim sibling(options_of(0), random, counts);
    Victim victim(options_of(variant), random, counts);
    // An entry keeps its key until its value has died.
    do {
      require(!sibling.heap().collect(), "collect", 0, counts);
    } while (sibling.heap().last_collection().freed_objects != 0);
    const std::uint64_t live = sibling.heap().last_collection().live_objects;
    // Its own refs to what was collected while it was filled.
    const std::uint64_t defects = verify(sibling.heap()).found();
    const std::uint64_t hash = hash_of(sibling);
    // The large heap costs more a round.
    const std::uint64_t share = variant == 3 ? rounds / 20 : rounds * 19 / 60;
    for (std::uint64_t i = 0; i < share || (variant == 2 && counts.rounds < rounds * 19 / 20);
         ++i) {
      ++counts.rounds;
      victim.round();
    }
    if (kRaces) {
      for (std::uint64_t i = 0; i < rounds / 80; ++i) {
        ++counts.rounds;
        victim.round();
        victim.race();
      }
    }
    victim.restore();
    require(hash_of(sibling) == hash, "the sibling's memory", hash, counts);
    require(!sibling.heap().collect(), "collect", 0, counts);
    require(sibling.heap().last_collection().live_objects == live, "the sibling's objects", live,
            counts);
    require(verify(sibling.heap()).found() == defects, "the sibling's soundness", defects, counts);
  }
  std::printf("rounds %" PRIu64 ", seed 0x%" PRIx64 "\n", counts.rounds, seed);
  std::printf("  bytes written       %12" PRIu64 "\n", counts.bytes_written);
  std::printf("  allocations         %12" PRIu64 "\n", counts.allocations);
  std::printf("    refused           %12" PRIu64 "\n", counts.refused_allocations);
  std::printf("  bad refs counted    %12" PRIu64 "\n", counts.bad_refs);
  std::printf("  bad headers counted %12" PRIu64 "\n", counts.bad_headers);
  std::printf("  defects reported    %12" PRIu64 "\n", counts.defects);
  std::printf("  snapshots           %12" PRIu64 "\n", counts.snapshots);
  std::printf("  checked accesses    %12" PRIu64 "\n", counts.checked_refs);
  std::printf("  agents handed out   %12" PRIu64 "\n", counts.agents);
  std::printf("  table calls         %12" PRIu64 "\n", counts.table_calls);
  std::printf("    puts refused      %12" PRIu64 "\n", counts.refused_puts);
  std::printf("  written meanwhile   %12" PRIu64 "\n", counts.written_meanwhile);
  std::printf("  hooks run           %12" PRIu64 "\n", counts.released);
  std::printf("  longest collection  %12" PRIu64 " us\n", counts.longest_ns / 1000);
  require(counts.rounds >= rounds, "fewer rounds than asked for", counts.rounds, counts);
  require(counts.bad_refs >= rounds && counts.bad_headers >= rounds, "too little was damaged",
          counts.bad_refs, counts);
  require(counts.refused_puts >= rounds / 10, "too few tables were damaged", counts.refused_puts,
          counts);
  require(counts.table_calls >= 8 * rounds, "too few calls on tables", counts.table_calls, counts);
}

}  // namespace
}  // namespace besom::fuzz

int main(int argc, char** argv) {
  std::uint64_t rounds = 20'000;
  std::uint64_t seed = besom::test::test_seed();
  for (int i = 1; i < argc; ++i) {
    std::uint64_t* wanted = nullptr;
    if (std::strcmp(argv[i], "--rounds") == 0) wanted = &rounds;
    if (std::strcmp(argv[i], "--seed") == 0) wanted = &seed;
    ++i;
    const auto number = wanted != nullptr && i < argc ? besom::test::parse_number(argv[i])
                                                      : std::optional<std::uint64_t>();
    if (!number) {
      std::fprintf(stderr, "usage: %s [--rounds N] [--seed N]\n", argv[0]);
      return besom::fuzz::kUsage;
    }
    *wanted = *number;
  }
  std::printf("seed 0x%" PRIx64 "\n", seed);
  std::fflush(stdout);
  besom::fuzz::run(rounds, seed);
  return 0;
}
