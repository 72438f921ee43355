#pragma once

#include <besom/besom.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "tests/gc/heap_model.hpp"
#include "tests/gc/model_objects.hpp"

namespace besom::test {

using namespace model;  // for the sources of HeapModel alone

/// The heap and its shadow. An operation is done to both; a collection of the heap's is then done
/// to the shadow by the plainest means, and what is left of both compared.
class HeapModel::Impl {
 public:
  Impl(const ModelPlan& plan, Choices& choices);
  /// Innermost scope first, so that a difference is told and not an abort on the way out.
  ~Impl() {
    while (!scopes_.empty()) scopes_.pop_back();
  }
  void step();
  void compare();
  void drain();
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

  void expect(bool good, const char* what, std::uint64_t figure) const;
  [[nodiscard]] char* address_of(const Shadow& shadow) const {
    return reinterpret_cast<char*>(heap_->get(Ref<Header>(shadow.index)));
  }
  template <class T>
  [[nodiscard]] T* object(const Shadow& shadow) const {
    return reinterpret_cast<T*>(address_of(shadow));
  }
  /// Any object that no collection has found dead: it may be linked again, reachable or not.
  Shadow* any_shadow() {
    if (shadows_.empty()) return nullptr;
    Shadow* shadow = shadows_[choices_.below(static_cast<std::uint32_t>(shadows_.size()))].get();
    if (shadow->is_doomed) return nullptr;
    note_kept(address_of(*shadow));
    return shadow;
  }

  // Objects: heap_model_objects.cpp.

  void define_types();
  [[nodiscard]] std::uint32_t choose_length(Kind kind);
  void allocate();
  void check_zero(const Shadow& shadow, const Header* header) const;
  /// What a new object is for: a root, a place in an older object, or nothing.
  void link(Shadow& shadow);
  /// What a slot of kPointed holds: the object's number is the tag, an integer leads to the host.
  [[nodiscard]] std::uint64_t pointed_word(const Shadow& holder, const ShadowSlot& slot) const;
  void write_some_slot(Shadow& holder, Shadow* target);
  void write_slot(Shadow& holder, std::uint32_t slot, Shadow* target);
  void move_target(Shadow& from);
  void write();
  [[nodiscard]] std::uint32_t number_of(const Shadow& shadow) const;
  void check_object(const Shadow& shadow) const;
  void check_slot(const Shadow& shadow, std::uint32_t i) const;

  // Roots: heap_model_roots.cpp.

  void root_in_handle(Shadow& shadow);
  void add_handle() {
    if (Shadow* shadow = any_shadow()) root_in_handle(*shadow);
  }
  void drop_handle();
  void close_scope();
  void change_locals();
  void set_range(std::size_t slot, const ShadowSlot& value);
  void change_range();
  void change_called();

  // What is weak, and what is guarded: heap_model_weak.cpp.

  void make_guardians();
  void change_weak();
  void change_weak_handle();
  /// What the host knows of objects ends here, as that of a weak structure does.
  void add_hook();
  void note_marked(const MarkView& marks);
  /// What a weak slot gives that leads to a doomed object, whether the heap has cleared it or not.
  void settle_doomed(Shadow& shadow);
  /// Where in ready_ the next agent of `guardian` is.
  [[nodiscard]] std::size_t next_ready(std::uint32_t guardian) const;
  void hand_out();
  void call_back();
  void drop_guardian(std::uint32_t guardian);
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

  // Of every so many steps.

  void read();
  void rarely();
  void reset();
  /// The limit was met: there was a reason, and dropping roots helps.
  void exhausted(std::uint32_t bytes);
  [[nodiscard]] std::vector<Run> holes() const;

  // What a collection does, done to the shadows: heap_model_compare.cpp.

  /// If the heap has collected since the last call: compares, and forgets what died. `added` was
  /// allocated after the collection.
  void note_collections(const Shadow* added);
  void push(Shadow* shadow) {
    if (shadow == nullptr || shadow->mark == mark_) return;
    shadow->mark = mark_;
    worklist_.push_back(shadow);
  }
  /// One collection, done to the shadows; returns how many registrations became ready.
  std::uint64_t collect_shadows(bool minor);
  std::uint64_t mark_shadows(bool with_old);
  void push_roots();
  void push_ready();
  void compare_live(const CollectionStats& last);
  void note_cycles(std::uint64_t ended);
  void keep_what_lives();
  /// Marks what is reachable; an entry's value whenever its key is marked.
  void drain_worklist();
  [[nodiscard]] bool is_kept(const ShadowSlot& slot) const {
    return slot.is_integer || (slot.target != nullptr && slot.target->mark == mark_);
  }
  [[nodiscard]] bool is_dead(const ShadowSlot& slot) const {
    return slot.target != nullptr && slot.target->mark != mark_;
  }
  /// What the weak slots of marked objects become.
  void settle();

  ModelPlan plan_;
  Choices& choices_;
  ModelCounts counts_;
  std::unique_ptr<Heap> heap_;
  TypeId types_[kKinds] = {};
  std::uint32_t last_number_ = 0;
  std::uint32_t mark_ = 0;

  std::vector<std::unique_ptr<Shadow>> shadows_;    ///< Not found dead by any collection.
  std::vector<std::unique_ptr<Shadow>> graveyard_;  ///< Keeps the dead until all are compared.
  std::uint64_t whole_stops_ = 0;                   ///< Up to the last collection compared.
  std::vector<std::uint32_t> dead_;                 ///< By what note_collections saw last.
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
  MarkHookRegistration hook_;
};

}  // namespace besom::test
