#pragma once

#include <besom/besom.hpp>
#include <cstdint>
#include <vector>

/// What HeapModel's heap holds: the kinds of objects with their layouts, and the shadow of each.
namespace besom::test::model {

/// The types of the model. In all of them the first word after the header is the object's number.
enum Kind : std::uint32_t {
  kPlain,       ///< Two values, and the number in the header's length.
  kMixed,       ///< Refs, values and payload.
  kBig,         ///< More than a window's largest.
  kRefs,        ///< Trailing refs.
  kValues,      ///< Trailing values.
  kBytes,       ///< Trailing bytes with a pattern.
  kForeign,     ///< 64-bit addresses that a callback visits.
  kBoxed,       ///< NaN boxes, fixed and trailing: refs, their indices shifted, or numbers.
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

/// Fixed pointers or boxes, and more behind them.
struct Pointed {
  Header header;
  std::uint32_t number;
  std::uint32_t unused;
  std::uint64_t fixed[2];
};

struct Shadow;

/// A slot of a shadow: an object, an integer, or null.
struct ShadowSlot {
  Shadow* target = nullptr;
  std::int32_t integer = 0;
  bool is_integer = false;
};

/// A registration of a shadow at a guardian, pending or ready.
struct ShadowGuard {
  Shadow* object;  ///< Not to be looked at once it is ready, unless it is handed out.
  Shadow* agent;
  std::int32_t priority;
  std::uint32_t guardian;
  std::uint64_t serial;
  bool gives_object;
};

struct Shadow {
  std::uint32_t number = 0;
  Kind kind = kPlain;
  std::uint32_t index = 0;
  std::uint32_t length = 0;
  std::uint32_t bytes = 0;
  std::uint32_t mark = 0;
  bool is_remembered = false;  ///< In a heap that is generational, always.
  bool is_doomed = false;      ///< The end of a cycle has begun, and it was not marked.
  bool is_old = false;         ///< A collection found it alive: minor ones keep it, dead or not.
  std::vector<ShadowSlot> slots;
};

/// What the heap is told of a kind.
[[nodiscard]] TypeDescriptor descriptor_of(Kind kind);
/// Of an object with `length` trailing elements, all of its granules.
[[nodiscard]] std::uint32_t bytes_of(Kind kind, std::uint32_t length);
[[nodiscard]] std::uint32_t slots_of(Kind kind, std::uint32_t length);
/// Whether integers may stand in the slot, too.
[[nodiscard]] bool is_value_slot(const Shadow& shadow, std::uint32_t slot);

// In these, the object of `shadow` is at `at`.

/// Writes the object's number and its payload, which follows from the number.
void fill(const Shadow& shadow, char* at);
/// Whether the payload is as fill() left it.
[[nodiscard]] bool has_payload(const Shadow& shadow, const char* at);
/// The slot's address; not for kForeign, kPointed and kBoxed.
[[nodiscard]] std::uint32_t* slot_address(const Shadow& shadow, char* at, std::uint32_t slot);
/// Of an object of kPointed or kBoxed.
[[nodiscard]] std::uint64_t* pointed_slot(char* at, std::uint32_t slot);
/// What a slot of kBoxed holds: the index of its target, 20 bits up, a number, or null.
[[nodiscard]] std::uint64_t box_of(const ShadowSlot& slot);

}  // namespace besom::test::model
