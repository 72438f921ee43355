#include "tests/gc/heap_model.hpp"

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "besom.hpp"

namespace besom::test {
namespace {

/// The types of the model. In all of them the first word after the header is the object's number.
enum Kind : std::uint32_t {
  kPlain,       ///< Two values, and the number in the header's length.
  kMixed,       ///< Refs, values and payload.
  kBig,         ///< More than a window's largest.
  kRefs,        ///< Trailing refs.
  kValues,      ///< Trailing values.
  kBytes,       ///< Trailing bytes with a pattern.
  kForeign,     ///< 64-bit addresses that a callback visits.
  kPointed,     ///< Tagged 64-bit pointers, fixed and trailing, some of them to host memory.
  kWeak,        ///< Trailing weak slots.
  kEphemerons,  ///< Trailing ephemerons: two slots each.
  kWeakValues,  ///< Trailing keys with weak values: two slots each.
  kKinds,
};

struct Plain {
  Header header;
  ValueMember slot[2];
};
struct Mixed {
  Header header;
  std::uint32_t number;
  Member<Header> ref[2];
  ValueMember value;
  std::uint64_t payload[2];
};
struct Big {
  Header header;
  std::uint32_t number;
  Member<Header> first;
  std::uint64_t payload[80];
  Member<Header> last;
};
struct Trailer {
  Header header;
  std::uint32_t number;
  std::uint32_t unused;
};
/// Its trailing bytes are addresses, so that their number can vary.
struct Foreign {
  Header header;
  std::uint32_t number;
  std::uint32_t count;
  Header* target[2];
};

/// Fixed pointers, and more behind them.
struct Pointed {
  Header header;
  std::uint32_t number;
  std::uint32_t unused;
  std::uint64_t fixed[2];
};

void trace_foreign(const void* object, std::uint32_t, Tracer& tracer) {
  const auto* foreign = static_cast<const Foreign*>(object);
  for (std::uint32_t i = 0; i < foreign->count && i < 2; ++i) {
    tracer.visit_pointer(foreign->target[i]);
  }
}

std::uint32_t pattern(std::uint32_t number, std::uint32_t i) {
  return (number * 2654435761u) ^ (i * 40503u);
}

struct Shadow;

/// A slot of a shadow: an object, an integer, or null.
struct ShadowSlot {
  Shadow* target = nullptr;
  std::int32_t integer = 0;
  bool is_integer = false;
};

/// A registration of a shadow at a guardian, pending or ready.
struct ShadowGuard {
  Shadow* object;  ///< Not to be looked at once it is ready.
  Shadow* agent;
  std::int32_t priority;
  std::uint32_t guardian;
  std::uint64_t serial;
};

struct Shadow {
  std::uint32_t number = 0;
  Kind kind = kPlain;
  std::uint32_t index = 0;
  std::uint32_t length = 0;
  std::uint32_t bytes = 0;
  std::uint32_t mark = 0;
  bool is_old = false;  ///< A collection found it alive: minor ones keep it, dead or not.
  std::vector<ShadowSlot> slots;
};

}  // namespace

std::uint32_t Choices::below(std::uint32_t bound) noexcept {
  if (bytes_ == nullptr) return random_.below(bound);
  std::uint32_t number = 0;
  for (std::uint32_t rest = bound - 1; rest != 0; rest >>= 8) {
    number = number << 8 | (used_ < count_ ? bytes_[used_] : 0u);
    ++used_;
  }
  return number % bound;
}

class HeapModel::Impl {
 public:
  Impl(const ModelPlan& plan, Choices& choices) : plan_(plan), choices_(choices) {
    Result<std::unique_ptr<Heap>> heap = Heap::create(plan.options);
    expect(static_cast<bool>(heap), "heap created", 0);
    heap_ = std::move(*heap);
    define_types();
    range_ = heap_->add_root_range(range_slots_, kRange, "range");
    callback_ = heap_->add_roots(
        [](void* user, Tracer& tracer) {
          for (const Shadow* shadow : static_cast<Impl*>(user)->called_) {
            tracer.visit(Ref<Header>(shadow->index));
          }
        },
        this, "callback");
    make_guardians();
  }

  void step() {
    ++counts_.operations;
    const std::uint32_t choice = choices_.below(100);
    if (choice < 45) {
      allocate();
    } else if (choice < 50) {
      change_weak();
    } else if (choice < 70) {
      write();
    } else if (choice < 78) {
      add_handle();
    } else if (choice < 86) {
      drop_handle();
    } else if (choice < 91) {
      change_locals();
    } else if (choice < 95) {
      change_range();
    } else if (choice < 97) {
      change_called();
    } else if (choice < 99) {
      read();
    } else {
      rarely();
    }
    if (choices_.below(plan_.collect_every) == 0) compare();
  }

  void compare() {
    newest_ = nullptr;  // who collects on purpose has rooted what is to stay
    expect(!heap_->collect(), "collect", 0);
    note_collections(nullptr);
    for (const std::uint32_t index : dead_) {
      expect(!heap_->check(Ref<void>(index)), "a dead object is no object", index);
    }
    dead_.clear();
  }

  void drain() {
    handles_.clear();
    while (!scopes_.empty()) close_scope();
    for (std::size_t i = 0; i < kRange; ++i) set_range(i, {});
    called_.clear();
    make_guardians();
    compare();
    expect(shadows_.empty(), "nothing is left", shadows_.size());
    expect(heap_->verify().ok(), "verify", 0);
    expect(heap_->free_list().num_free_blocks() == 1, "one hole is left",
           heap_->free_list().num_free_blocks());
  }

  [[nodiscard]] const ModelCounts& counts() const { return counts_; }

 private:
  static constexpr std::size_t kRange = 16;

  struct Rooted {
    Handle<Header> handle;
    Shadow* shadow;
  };
  struct Scope {
    std::unique_ptr<HandleScope> scope;
    std::vector<std::pair<Local<Header>, Shadow*>> locals;
  };

  void expect(bool good, const char* what, std::uint64_t figure) const {
    if (good) return;
    char text[160];
    std::snprintf(text, sizeof text,
                  "the heap differs from its model: %s (0x%llx), operation %llu, collection %llu",
                  what, static_cast<unsigned long long>(figure),
                  static_cast<unsigned long long>(counts_.operations),
                  static_cast<unsigned long long>(counts_.collections));
    throw std::runtime_error(text);
  }

  void define_types() {
    const SlotKind value = SlotKind::value;
    const TypeDescriptor descriptors[kKinds] = {
        {.name = "Plain",
         .size = sizeof(Plain),
         .fields = {{"a", offsetof(Plain, slot), value}, {"b", offsetof(Plain, slot) + 4, value}}},
        {.name = "Mixed",
         .size = sizeof(Mixed),
         .fields = {{"a", offsetof(Mixed, ref)},
                    {"b", offsetof(Mixed, ref) + 4},
                    {"value", offsetof(Mixed, value), value}}},
        {.name = "Big",
         .size = sizeof(Big),
         .fields = {{"first", offsetof(Big, first)}, {"last", offsetof(Big, last)}}},
        {.name = "Refs", .size = sizeof(Trailer), .trailing = Trailing::refs},
        {.name = "Values", .size = sizeof(Trailer), .trailing = Trailing::values},
        {.name = "Bytes", .size = sizeof(Trailer), .trailing = Trailing::bytes},
        {.name = "Foreign", .size = sizeof(Foreign), .trace = trace_foreign},
        {.name = "Pointed",
         .size = sizeof(Pointed),
         .fields = {{"a", offsetof(Pointed, fixed), SlotKind::pointer},
                    {"b", offsetof(Pointed, fixed) + 8, SlotKind::pointer}},
         .trailing = Trailing::pointers},
        {.name = "Weak", .size = sizeof(Trailer), .trailing = Trailing::weak},
        {.name = "Ephemerons", .size = sizeof(Trailer), .trailing = Trailing::ephemerons},
        {.name = "WeakValues", .size = sizeof(Trailer), .trailing = Trailing::weak_values},
    };
    for (std::uint32_t kind = 0; kind < kKinds; ++kind) {
      const Result<TypeId> type = heap_->define(descriptors[kind]);
      expect(static_cast<bool>(type), "type defined", kind);
      types_[kind] = *type;
    }
  }

  // Objects and their shadows.

  [[nodiscard]] char* address_of(const Shadow& shadow) const {
    return reinterpret_cast<char*>(heap_->get(Ref<Header>(shadow.index)));
  }
  template <class T>
  [[nodiscard]] T* object(const Shadow& shadow) const {
    return reinterpret_cast<T*>(address_of(shadow));
  }

  [[nodiscard]] std::uint32_t choose_length(Kind kind) {
    if (kind < kRefs || kind == kForeign) return 0;
    const bool large = choices_.chance(plan_.large_percent);
    return choices_.below(large ? plan_.large_length : 24);
  }

  static std::uint32_t bytes_of(Kind kind, std::uint32_t length) {
    constexpr std::uint32_t kFixed[kKinds] = {sizeof(Plain),   sizeof(Mixed),   sizeof(Big),
                                              sizeof(Trailer), sizeof(Trailer), sizeof(Trailer),
                                              sizeof(Foreign), sizeof(Pointed), sizeof(Trailer),
                                              sizeof(Trailer), sizeof(Trailer)};
    const std::uint32_t element = kind == kBytes                          ? 1
                                  : kind == kPointed || has_entries(kind) ? 8
                                                                          : 4;
    return (kFixed[kind] + length * element + 15) / 16 * 16;
  }

  [[nodiscard]] static bool has_entries(Kind kind) {
    return kind == kEphemerons || kind == kWeakValues;
  }

  static std::uint32_t slots_of(Kind kind, std::uint32_t length) {
    constexpr std::uint32_t kSlots[kKinds] = {2, 3, 2, 0, 0, 0, 2, 2};
    if (kind == kPointed) return 2 + length;
    if (has_entries(kind)) return 2 * length;
    return kind == kRefs || kind == kValues || kind == kWeak ? length : kSlots[kind];
  }

  void allocate() {
    // Small ones most of the time.
    const std::uint32_t roll = choices_.below(100);
    const Kind kind = roll < 40   ? kPlain
                      : roll < 65 ? kMixed
                      : roll < 68 ? kBig
                                  : static_cast<Kind>(kRefs + choices_.below(kKinds - kRefs));
    const std::uint32_t length = choose_length(kind);
    auto* header = static_cast<Header*>(heap_->allocate(types_[kind], length));
    if (header == nullptr) {
      note_collections(nullptr);
      exhausted(bytes_of(kind, length));
      return;
    }
    ++counts_.allocations;
    auto owned = std::make_unique<Shadow>();
    Shadow& shadow = *owned;
    shadow.number = ++last_number_;
    shadow.kind = kind;
    shadow.length = length;
    shadow.bytes = bytes_of(kind, length);
    shadow.index = Ref<Header>(header).index();
    shadow.slots.resize(slots_of(kind, length));
    // What a collection did on the way happened before the object was there.
    note_collections(&shadow);
    newest_ = &shadow;
    check_zero(shadow, header);
    fill(shadow);
    shadows_.push_back(std::move(owned));
    link(shadow);
  }

  void check_zero(const Shadow& shadow, const Header* header) const {
    expect(header->type == types_[shadow.kind] && header->length == shadow.length, "new header",
           shadow.index);
    const auto* bytes = reinterpret_cast<const unsigned char*>(header);
    unsigned sum = 0;
    for (std::uint32_t i = sizeof(Header); i < shadow.bytes; ++i) sum |= bytes[i];
    expect(sum == 0, "new memory is zero", shadow.index);
  }

  void fill(const Shadow& shadow) {
    switch (shadow.kind) {
      case kPlain:
        object<Plain>(shadow)->header.length = shadow.number;
        break;
      case kMixed: {
        auto* mixed = object<Mixed>(shadow);
        mixed->number = shadow.number;
        for (std::uint32_t i = 0; i < 2; ++i) mixed->payload[i] = pattern(shadow.number, i);
        break;
      }
      case kBig: {
        auto* big = object<Big>(shadow);
        big->number = shadow.number;
        for (std::uint32_t i = 0; i < 80; ++i) big->payload[i] = pattern(shadow.number, i);
        break;
      }
      case kBytes: {
        auto* trailer = object<Trailer>(shadow);
        trailer->number = shadow.number;
        auto* bytes = trailing_of<unsigned char>(trailer);
        for (std::uint32_t i = 0; i < shadow.length; ++i) {
          bytes[i] = static_cast<unsigned char>(pattern(shadow.number, i));
        }
        break;
      }
      case kForeign:
        object<Foreign>(shadow)->number = shadow.number;
        object<Foreign>(shadow)->count = 2;
        break;
      default:
        object<Trailer>(shadow)->number = shadow.number;
        break;
    }
  }

  /// What a new object is for: a root, a place in an older object, or nothing.
  void link(Shadow& shadow) {
    const std::uint32_t roll = choices_.below(100);
    if (roll < 25) {
      root_in_handle(shadow);
    } else if (roll < 85) {
      if (Shadow* holder = any_shadow()) write_slot(*holder, &shadow);
    }
    const std::uint32_t slots = static_cast<std::uint32_t>(shadow.slots.size());
    if (slots != 0 && choices_.chance(50)) write_slot(shadow, any_shadow());
  }

  /// Any object that no collection has found dead: it may be linked again, reachable or not.
  Shadow* any_shadow() {
    if (shadows_.empty()) return nullptr;
    return shadows_[choices_.below(static_cast<std::uint32_t>(shadows_.size()))].get();
  }

  [[nodiscard]] static bool is_value_slot(const Shadow& shadow, std::uint32_t slot) {
    return shadow.kind == kPlain || shadow.kind == kValues || shadow.kind >= kWeak ||
           (shadow.kind == kMixed && slot == 2);
  }

  /// What a slot of kPointed holds: the object's number is the tag, an integer leads to the host.
  [[nodiscard]] std::uint64_t pointed_word(const Shadow& holder, const ShadowSlot& slot) const {
    const std::uint64_t tag = holder.number % 16;
    if (slot.target != nullptr) {
      return reinterpret_cast<std::uintptr_t>(address_of(*slot.target)) | tag;
    }
    return slot.is_integer ? reinterpret_cast<std::uintptr_t>(&holder) : tag;
  }
  [[nodiscard]] std::uint64_t* pointed_slot(const Shadow& holder, std::uint32_t slot) const {
    // The trailing ones follow the fixed ones, beyond the end of their array.
    return reinterpret_cast<std::uint64_t*>(address_of(holder) + offsetof(Pointed, fixed)) + slot;
  }

  /// The slot's address; not for kForeign and kPointed.
  [[nodiscard]] std::uint32_t* slot_address(const Shadow& shadow, std::uint32_t slot) const {
    char* at = address_of(shadow);
    switch (shadow.kind) {
      case kPlain:
        at += offsetof(Plain, slot) + slot * 4;
        break;
      case kMixed:
        at += slot < 2 ? offsetof(Mixed, ref) + slot * 4 : offsetof(Mixed, value);
        break;
      case kBig:
        at += slot == 0 ? offsetof(Big, first) : offsetof(Big, last);
        break;
      default:
        at += sizeof(Trailer) + slot * 4;
        break;
    }
    return reinterpret_cast<std::uint32_t*>(at);
  }

  void write_slot(Shadow& holder, Shadow* target) {
    if (holder.slots.empty()) return;
    const auto slot = choices_.below(static_cast<std::uint32_t>(holder.slots.size()));
    ShadowSlot& shadow_slot = holder.slots[slot];
    shadow_slot = {};
    shadow_slot.target = target;
    if (holder.kind == kForeign) {
      object<Foreign>(holder)->target[slot] = target != nullptr ? object<Header>(*target) : nullptr;
      note_store(&object<Foreign>(holder)->target[slot]);
      return;
    }
    if (holder.kind == kPointed) {
      shadow_slot.is_integer = target == nullptr && choices_.chance(50);
      *pointed_slot(holder, slot) = pointed_word(holder, shadow_slot);
      note_store(pointed_slot(holder, slot));
      return;
    }
    Value value = Ref<Header>(target != nullptr ? target->index : 0);
    if (is_value_slot(holder, slot) && choices_.chance(20)) {
      shadow_slot.target = nullptr;
      shadow_slot.is_integer = true;
      shadow_slot.integer = static_cast<std::int32_t>(choices_.below(1u << 30)) - (1 << 29);
      value = Value::integer(shadow_slot.integer);
    }
    write_ref(*slot_address(holder, slot), value.bits());
  }

  void write() {
    Shadow* holder = any_shadow();
    if (holder == nullptr) return;
    write_slot(*holder, choices_.chance(30) ? nullptr : any_shadow());
  }

  // Roots.

  void root_in_handle(Shadow& shadow) {
    if (handles_.size() >= plan_.handles && choices_.chance(80)) {
      Rooted& rooted = handles_[choices_.below(static_cast<std::uint32_t>(handles_.size()))];
      rooted.handle.set(object<Header>(shadow));
      rooted.shadow = &shadow;
    } else {
      handles_.push_back({Handle<Header>(*heap_, object<Header>(shadow)), &shadow});
      expect(static_cast<bool>(handles_.back().handle), "handle", shadow.index);
    }
    if (newest_ == &shadow) newest_ = nullptr;
  }

  void add_handle() {
    if (Shadow* shadow = any_shadow()) root_in_handle(*shadow);
  }

  void drop_handle() {
    if (handles_.empty()) return;
    const auto at = choices_.below(static_cast<std::uint32_t>(handles_.size()));
    if (at + 1 != handles_.size()) handles_[at] = std::move(handles_.back());
    handles_.pop_back();
  }

  void close_scope() {
    std::vector<std::pair<Local<Header>, Shadow*>> locals = std::move(scopes_.back().locals);
    scopes_.pop_back();
    for (const auto& [local, shadow] : locals) {
      expect(local.is_stale(), "a local is stale after its scope", shadow->index);
    }
  }

  void change_locals() {
    const std::uint32_t roll = choices_.below(10);
    if (scopes_.empty() || (roll < 2 && scopes_.size() < 10)) {
      scopes_.push_back({std::make_unique<HandleScope>(*heap_), {}});
    } else if (roll < 4) {
      close_scope();
    } else if (Shadow* shadow = any_shadow()) {
      Scope& scope = scopes_.back();
      if (!scope.locals.empty() && choices_.chance(30)) {
        scope.locals.back().first.set(object<Header>(*shadow));
        scope.locals.back().second = shadow;
      } else if (scope.locals.size() < 20) {
        scope.locals.emplace_back(scope.scope->root(object<Header>(*shadow)), shadow);
      }
      if (scope.locals.back().second == shadow && newest_ == shadow) newest_ = nullptr;
    }
  }

  void set_range(std::size_t slot, const ShadowSlot& value) {
    range_shadows_[slot] = value;
    range_slots_[slot] = value.is_integer          ? Value::integer(value.integer).bits()
                         : value.target != nullptr ? value.target->index
                                                   : 0;
  }

  void change_range() {
    ShadowSlot value;
    const std::uint32_t roll = choices_.below(10);
    if (roll < 4) value.target = any_shadow();
    if (roll == 4) {
      value.is_integer = true;
      value.integer = -static_cast<std::int32_t>(choices_.below(1 << 20));
    }
    set_range(choices_.below(kRange), value);
  }

  void change_called() {
    if (called_.size() < 12 && choices_.chance(50)) {
      if (Shadow* shadow = any_shadow()) called_.push_back(shadow);
    } else if (!called_.empty()) {
      called_.pop_back();
    }
  }

  // What is weak, and what is guarded.

  void make_guardians() {
    guardians_[0] = Guardian(*heap_);
    guardians_[1] = Guardian(
        *heap_,
        [](void* user, Heap&, void* agent) {
          static_cast<Impl*>(user)->called_back_.push_back(
              Ref<Header>(static_cast<Header*>(agent)).index());
        },
        this);
    guards_.clear();
    ready_.clear();
  }

  void change_weak() {
    const std::uint32_t roll = choices_.below(100);
    if (roll < 25) {
      change_weak_handle();
    } else if (roll < 65) {
      Shadow* object = any_shadow();
      if (object == nullptr || guards_.size() >= 200) return;
      Shadow* agent = choices_.chance(60) ? object : any_shadow();
      const auto priority = static_cast<std::int32_t>(choices_.below(3)) - 1;
      const std::uint32_t guardian = choices_.below(2);
      const Error error =
          guardians_[guardian].guard(address_of(*object), address_of(*agent), priority);
      expect(!error, "guard", static_cast<std::uint64_t>(error.code));
      guards_.push_back({object, agent, priority, guardian, ++last_serial_});
    } else if (roll < 90) {
      hand_out();
    } else if (roll < 98) {
      call_back();
    } else {
      drop_guardian(choices_.below(2));
    }
  }

  void change_weak_handle() {
    const std::uint32_t roll = choices_.below(10);
    if (weak_.empty() || (roll < 4 && weak_.size() < 50)) {
      Shadow* shadow = any_shadow();
      if (shadow == nullptr) return;
      weak_.push_back({Weak<Header>(*heap_, object<Header>(*shadow)), shadow});
      return;
    }
    const auto at = choices_.below(static_cast<std::uint32_t>(weak_.size()));
    if (roll < 7) {
      weak_[at].second = any_shadow();
      weak_[at].first.set(weak_[at].second != nullptr ? object<Header>(*weak_[at].second)
                                                      : nullptr);
    } else {
      if (at + 1 != weak_.size()) weak_[at] = std::move(weak_.back());
      weak_.pop_back();
    }
  }

  /// Where in ready_ the next agent of `guardian` is.
  [[nodiscard]] std::size_t next_ready(std::uint32_t guardian) const {
    std::size_t best = ready_.size();
    for (std::size_t i = 0; i < ready_.size(); ++i) {
      if (ready_[i].guardian != guardian) continue;
      const auto rank = [&](std::size_t at) {
        return std::pair(-ready_[at].priority, ready_[at].serial);
      };
      if (best == ready_.size() || rank(i) < rank(best)) best = i;
    }
    return best;
  }

  void hand_out() {
    const std::uint32_t guardian = choices_.below(2);
    const std::size_t at = next_ready(guardian);
    const Result<void*> agent = guardians_[guardian].next();
    expect(static_cast<bool>(agent), "next", static_cast<std::uint64_t>(agent.error().code));
    const std::uint32_t index = Ref<Header>(static_cast<Header*>(*agent)).index();
    expect(index == (at == ready_.size() ? 0 : ready_[at].agent->index), "the next agent", index);
    if (at == ready_.size()) return;
    newest_ = ready_[at].agent;
    check_object(*newest_);
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
    ++counts_.handed_out;
  }

  void call_back() {
    called_back_.clear();
    const Result<std::uint64_t> count = heap_->run_finalizers(choices_.below(5));
    expect(count && *count == called_back_.size(), "finalizers run", called_back_.size());
    for (const std::uint32_t index : called_back_) {
      const std::size_t at = next_ready(1);
      expect(at != ready_.size() && ready_[at].agent->index == index, "the next finalizer", index);
      ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
      ++counts_.handed_out;
    }
  }

  void drop_guardian(std::uint32_t guardian) {
    if (choices_.chance(50)) {
      expect(!guardians_[guardian].make_all_ready(), "make all ready", guardian);
      move_ready([&](const ShadowGuard& guard) { return guard.guardian == guardian; });
    } else {
      make_guardians();
    }
  }

  template <class Goes>
  std::uint64_t move_ready(Goes goes) {
    std::vector<ShadowGuard> stay;
    std::uint64_t moved = 0;
    for (const ShadowGuard& guard : guards_) {
      if (!goes(guard)) {
        stay.push_back(guard);
        continue;
      }
      ready_.push_back(guard);
      ++moved;
    }
    guards_ = std::move(stay);
    return moved;
  }

  void read() {
    for (const auto& [weak, shadow] : weak_) {
      expect(weak.ref().index() == (shadow != nullptr ? shadow->index : 0), "a weak handle",
             weak.ref().index());
    }
    if (const Shadow* shadow = any_shadow()) check_object(*shadow);
  }

  void rarely() {
    const std::uint32_t roll = choices_.below(200);
    if (roll == 0) {
      reset();
    } else if (roll < 4) {
      handles_.clear();
    } else if (roll < 30) {
      const VerifyReport report = heap_->verify();
      expect(report.ok(), "verify", report.defects.size());
    }
  }

  void reset() {
    expect(!heap_->reset(), "reset", 0);
    for (const Rooted& rooted : handles_) {
      expect(rooted.handle.is_stale(), "a handle is stale after a reset", 0);
    }
    for (const auto& weak : weak_) expect(weak.first.is_stale(), "stale after a reset", 0);
    weak_.clear();
    guards_.clear();
    ready_.clear();
    handles_.clear();
    while (!scopes_.empty()) close_scope();
    range_ = heap_->add_root_range(range_slots_, kRange, "range");
    for (std::size_t i = 0; i < kRange; ++i) set_range(i, {});
    called_.clear();
    callback_ = heap_->add_roots(
        [](void* user, Tracer& tracer) {
          for (const Shadow* shadow : static_cast<Impl*>(user)->called_) {
            tracer.visit(Ref<Header>(shadow->index));
          }
        },
        this, "callback");
    shadows_.clear();
    dead_.clear();
    newest_ = nullptr;
  }

  /// The limit was met: there was a reason, and dropping roots helps.
  void exhausted(std::uint32_t bytes) {
    ++counts_.exhaustions;
    const Error& error = heap_->error();
    expect(error.code == Errc::heap_limit || error.code == Errc::object_too_large, "exhausted",
           static_cast<std::uint64_t>(error.code));
    if (error.code == Errc::object_too_large) return;
    expect((error.bytes + 15) / 16 * 16 == bytes, "bytes needed", error.bytes);
    expect(heap_->free_list().largest_free_block() < bytes, "a hole was large enough", bytes);
    while (handles_.size() > plan_.handles / 4) drop_handle();
    for (std::size_t i = 0; i < kRange; ++i) set_range(i, {});
  }

  // Comparing.

  /// If the heap has collected since the last call: compares, and forgets what died. `added` was
  /// allocated after the collection.
  void note_collections(const Shadow* added) {
    const std::uint64_t collections = heap_->stats().collections;
    if (collections == counts_.collections) return;
    expect(collections == counts_.collections + 1, "one collection at a time", collections);
    counts_.collections = collections;
    if (heap_->last_collection().minor) ++counts_.minor_collections;
    mark_shadows(heap_->last_collection().minor);
    std::uint64_t live_objects = 0;
    std::uint64_t live_bytes = 0;
    std::size_t kept = 0;
    dead_.clear();
    for (std::unique_ptr<Shadow>& shadow : shadows_) {
      if (shadow->mark == mark_) {
        ++live_objects;
        live_bytes += shadow->bytes;
        shadow->is_old = true;
        check_object(*shadow);
        shadows_[kept++] = std::move(shadow);
      } else {
        dead_.push_back(shadow->index);
        graveyard_.push_back(std::move(shadow));
      }
    }
    shadows_.resize(kept);
    graveyard_.clear();
    counts_.objects_compared += live_objects;
    const CollectionStats& last = heap_->last_collection();
    expect(last.live_objects == live_objects, "objects alive against the model's",
           last.live_objects << 32 | live_objects);
    expect(last.live_bytes == live_bytes, "bytes alive against the model's",
           last.live_bytes << 32 | live_bytes);
    expect(last.freed_objects == dead_.size(), "objects freed", last.freed_objects);
    expect(last.bad_refs == 0 && last.bad_headers == 0, "no damage", last.bad_refs);
    if (added == nullptr) return;
    // The new object may have taken a dead one's place; any other index is no object's.
    for (const std::uint32_t index : dead_) {
      if (index == added->index) continue;
      expect(!heap_->check(Ref<void>(index)), "a dead object is no object", index);
    }
  }

  void push(Shadow* shadow) {
    if (shadow == nullptr || shadow->mark == mark_) return;
    shadow->mark = mark_;
    worklist_.push_back(shadow);
  }

  void mark_shadows(bool with_old) {
    ++mark_;
    for (const std::unique_ptr<Shadow>& shadow : shadows_) {
      if (with_old && shadow->is_old) push(shadow.get());
    }
    push(newest_);
    for (const Rooted& rooted : handles_) push(rooted.shadow);
    for (const Scope& scope : scopes_) {
      for (const auto& local : scope.locals) push(local.second);
    }
    for (const ShadowSlot& slot : range_shadows_) push(slot.target);
    for (Shadow* shadow : called_) push(shadow);
    for (const ShadowGuard& guard : ready_) push(guard.agent);
    drain_worklist();
    settle();
    for (auto& [weak, shadow] : weak_) {
      if (shadow != nullptr && shadow->mark != mark_) shadow = nullptr;
    }
    const std::uint64_t died =
        move_ready([&](const ShadowGuard& guard) { return guard.object->mark != mark_; });
    expect(heap_->last_collection().finalizers_ready == died, "registrations ready", died);
    counts_.finalizers_ready += died;
    for (const ShadowGuard& guard : ready_) push(guard.agent);
    drain_worklist();
    settle();
  }

  /// Marks what is reachable; an entry's value whenever its key is marked.
  void drain_worklist() {
    do {
      while (!worklist_.empty()) {
        const Shadow* shadow = worklist_.back();
        worklist_.pop_back();
        if (shadow->kind == kWeak || shadow->kind == kEphemerons) continue;
        const std::size_t step = shadow->kind == kWeakValues ? 2 : 1;
        for (std::size_t i = 0; i < shadow->slots.size(); i += step) push(shadow->slots[i].target);
      }
      for (const std::unique_ptr<Shadow>& shadow : shadows_) {
        if (shadow->kind != kEphemerons || shadow->mark != mark_) continue;
        for (std::size_t i = 0; i < shadow->slots.size(); i += 2) {
          if (is_kept(shadow->slots[i])) push(shadow->slots[i + 1].target);
        }
      }
      for (const ShadowGuard& guard : guards_) {
        if (guard.object->mark == mark_) push(guard.agent);
      }
    } while (!worklist_.empty());
  }

  [[nodiscard]] bool is_kept(const ShadowSlot& slot) const {
    return slot.is_integer || (slot.target != nullptr && slot.target->mark == mark_);
  }
  [[nodiscard]] bool is_dead(const ShadowSlot& slot) const {
    return slot.target != nullptr && slot.target->mark != mark_;
  }

  /// What the weak slots of marked objects become.
  void settle() {
    for (const std::unique_ptr<Shadow>& shadow : shadows_) {
      if (shadow->mark != mark_ || shadow->kind < kWeak) continue;
      std::vector<ShadowSlot>& slots = shadow->slots;
      if (shadow->kind == kWeak) {
        for (ShadowSlot& slot : slots) {
          if (is_dead(slot)) slot = {};
        }
        continue;
      }
      for (std::size_t i = 0; i < slots.size(); i += 2) {
        const bool is_ephemeron = shadow->kind == kEphemerons;
        const ShadowSlot& key = slots[i];
        const bool has_key = key.is_integer || key.target != nullptr;
        if (!is_dead(is_ephemeron ? key : slots[i + 1]) &&
            (has_key || slots[i + 1].target == nullptr)) {
          continue;
        }
        slots[i] = {};
        slots[i + 1] = {nullptr, 0, true};
        ++counts_.entries_broken;
      }
    }
  }

  void check_object(const Shadow& shadow) const {
    const Result<Header*> checked = heap_->check(Ref<void>(shadow.index), types_[shadow.kind]);
    expect(static_cast<bool>(checked), "an object is there", shadow.index);
    const Header* header = *checked;
    std::uint32_t number = 0;
    std::memcpy(&number, header + 1, sizeof number);
    if (shadow.kind == kPlain) {
      number = header->length;
    } else {
      expect(header->length == shadow.length, "an object's length", shadow.index);
    }
    expect(number == shadow.number, "an object's number", shadow.index);
    bool good = true;
    if (shadow.kind == kMixed) {
      for (std::uint32_t i = 0; i < 2; ++i) {
        good &= object<Mixed>(shadow)->payload[i] == pattern(number, i);
      }
    } else if (shadow.kind == kBig) {
      for (std::uint32_t i = 0; i < 80; ++i) {
        good &= object<Big>(shadow)->payload[i] == pattern(number, i);
      }
    } else if (shadow.kind == kBytes) {
      const auto* bytes = trailing_of<unsigned char>(object<Trailer>(shadow));
      for (std::uint32_t i = 0; i < shadow.length; ++i) {
        good &= bytes[i] == static_cast<unsigned char>(pattern(number, i));
      }
    }
    expect(good, "an object's payload", shadow.index);
    for (std::uint32_t i = 0; i < shadow.slots.size(); ++i) check_slot(shadow, i);
  }

  void check_slot(const Shadow& shadow, std::uint32_t i) const {
    const ShadowSlot& slot = shadow.slots[i];
    if (shadow.kind == kForeign) {
      const Header* wanted = slot.target != nullptr ? object<Header>(*slot.target) : nullptr;
      expect(object<Foreign>(shadow)->target[i] == wanted, "an address", shadow.index);
      return;
    }
    if (shadow.kind == kPointed) {
      const std::uint64_t word = *pointed_slot(shadow, i);
      // A slot that was never written is without its tag.
      expect(word == pointed_word(shadow, slot) || (word == 0 && slot.target == nullptr),
             "a tagged pointer", shadow.index);
      return;
    }
    const std::uint32_t wanted = slot.is_integer          ? Value::integer(slot.integer).bits()
                                 : slot.target != nullptr ? slot.target->index
                                                          : 0;
    expect(*slot_address(shadow, i) == wanted, "a slot", shadow.index);
  }

  ModelPlan plan_;
  Choices& choices_;
  ModelCounts counts_;
  std::unique_ptr<Heap> heap_;
  TypeId types_[kKinds] = {};
  std::uint32_t last_number_ = 0;
  std::uint32_t mark_ = 0;

  std::vector<std::unique_ptr<Shadow>> shadows_;    ///< Not found dead by any collection.
  std::vector<std::unique_ptr<Shadow>> graveyard_;  ///< Keeps the dead until all are compared.
  std::vector<std::uint32_t> dead_;                 ///< By the last collection.
  std::vector<Shadow*> worklist_;
  Shadow* newest_ = nullptr;

  std::vector<Rooted> handles_;
  std::vector<Scope> scopes_;
  std::uint32_t range_slots_[kRange] = {};
  ShadowSlot range_shadows_[kRange];
  RootRegistration range_;
  std::vector<std::pair<Weak<Header>, Shadow*>> weak_;
  Guardian guardians_[2];  ///< The second has a callback.
  std::uint64_t last_serial_ = 0;
  std::vector<ShadowGuard> guards_;
  std::vector<ShadowGuard> ready_;
  std::vector<std::uint32_t> called_back_;
  std::vector<Shadow*> called_;
  RootRegistration callback_;
};

HeapModel::HeapModel(const ModelPlan& plan, Choices& choices)
    : impl_(std::make_unique<Impl>(plan, choices)) {}
HeapModel::~HeapModel() = default;
void HeapModel::step() { impl_->step(); }
void HeapModel::compare() { impl_->compare(); }
void HeapModel::drain() { impl_->drain(); }
const ModelCounts& HeapModel::counts() const noexcept { return impl_->counts(); }

}  // namespace besom::test
