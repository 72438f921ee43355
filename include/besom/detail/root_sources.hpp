#pragma once

#include <cstdint>
#include <span>

#include "besom/detail/check.hpp"
#include "besom/detail/export.h"
#include "besom/detail/native_stack.hpp"
#include "besom/detail/table_memory.hpp"
#include "besom/held_root.hpp"
#include "besom/mark_hook.hpp"
#include "besom/type.hpp"

namespace besom {

/// Enumerates the embedder's own roots by visiting each. May not allocate or change roots.
using RootCallback = void (*)(void* user, Tracer& tracer);

namespace detail {

/// Where roots that are no handles come from; or, with a hook, what else is called in a collection.
/// It owns nothing. A union with its kind: <variant> would add 2,000 lines to each file that
/// includes the heap.
class RootSource {
 public:
  struct Callback {
    RootCallback call;
    void* user;
  };
  struct Slots {
    std::uint32_t* begin;  ///< nullptr where there are none.
    std::uint64_t count;
  };
  /// Ambiguous words; `begin <= end`.
  struct Words {
    const void* begin;
    const void* end;
  };
  struct Hook {
    MarkHook call;
    void* user;
  };

  /// `label` may be nullptr; it outlives the registration.
  RootSource(const Callback& callback, const char* label) noexcept
      : callback_(callback), label_(label), form_(Form::callback) {
    BESOM_ASSERT(callback.call != nullptr);
  }
  RootSource(const Slots& slots, const char* label) noexcept
      : slots_(slots), label_(label), form_(Form::slots) {
    BESOM_ASSERT(slots.begin != nullptr || slots.count == 0);
  }
  RootSource(const Words& words, const char* label) noexcept
      : words_(words), label_(label), form_(Form::words) {
    BESOM_ASSERT(reinterpret_cast<std::uintptr_t>(words.begin) <=
                 reinterpret_cast<std::uintptr_t>(words.end));
  }
  RootSource(const NativeStack& stack, const char* label) noexcept
      : stack_(stack), label_(label), form_(Form::stack) {
    BESOM_ASSERT(stack.end != nullptr);
  }
  RootSource(const Hook& hook, const char* label) noexcept
      : hook_(hook), label_(label), form_(Form::hook) {
    BESOM_ASSERT(hook.call != nullptr);
  }

  [[nodiscard]] const char* label() const noexcept { return label_; }
  [[nodiscard]] bool is_removed() const noexcept { return is_removed_; }
  /// False when it was removed before.
  bool set_removed() noexcept {
    const bool is_first = !is_removed_;
    is_removed_ = true;
    return is_first;
  }

  /// Calls `visitor` with the one of Callback, Slots, Words, NativeStack and Hook that it is.
  template <class Visitor>
  void visit(Visitor&& visitor) const {
    switch (form_) {
      case Form::callback:
        return visitor(callback_);
      case Form::slots:
        return visitor(slots_);
      case Form::words:
        return visitor(words_);
      case Form::stack:
        return visitor(stack_);
      case Form::hook:
        return visitor(hook_);
    }
  }

  /// How reports name it.
  [[nodiscard]] HeldRoot::Kind kind() const noexcept {
    if (form_ == Form::hook) return HeldRoot::Kind::mark_hook;
    return form_ == Form::callback ? HeldRoot::Kind::callback : HeldRoot::Kind::range;
  }

 private:
  enum class Form : std::uint8_t { callback, slots, words, stack, hook };

  union {
    Callback callback_;
    Slots slots_;
    Words words_;
    NativeStack stack_;
    Hook hook_;
  };
  const char* label_;
  Form form_;
  bool is_removed_ = false;
};

/// What was registered and not removed, in the order in which that was done, with the places of
/// some that were removed: never more than there are others. Not thread-safe.
class BESOM_API RootSources {
 public:
  /// `memory` outlives what is registered.
  explicit RootSources(const TableMemory& memory) noexcept : memory_(memory) {}
  RootSources(const RootSources&) = delete;
  RootSources& operator=(const RootSources&) = delete;
  ~RootSources();

  /// The serial that names the source, or 0 when the host has no memory. Amortised O(1).
  [[nodiscard]] std::uint64_t add(const RootSource& source) noexcept;
  /// False when there is no such source. O(log n), amortised.
  [[nodiscard]] bool remove(std::uint64_t serial) noexcept;
  void clear() noexcept;

  /// With those that were removed among them.
  [[nodiscard]] std::span<RootSource> rows() noexcept;
  [[nodiscard]] std::span<const RootSource> rows() const noexcept;

 private:
  struct Table;

  TableMemory memory_;
  Table* table_ = nullptr;  ///< Made for the first one.
  std::uint64_t serial_ = 0;
};

}  // namespace detail
}  // namespace besom
