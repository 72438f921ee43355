#pragma once

#include <cstdint>

#include "besom/type.hpp"
#include "heap/addresses.hpp"
#include "heap/load_once.hpp"

namespace besom::detail {

/// Hands what an embedder's callback visits to `body(bits, kind, is_certain)`. Words arrive as the
/// index of the object that they lead to; an ambiguous one for each object that it may lead to, and
/// is not certain.
template <class Body>
class CallbackVisitor : public Tracer {
 public:
  CallbackVisitor(const Addresses& addresses, Body body, void* user = nullptr) noexcept
      : Tracer(
            [](Tracer& self, const std::uint32_t& slot) {
              static_cast<CallbackVisitor&>(self).body_(load_once<std::uint32_t>(&slot),
                                                        SlotKind::value, true);
            },
            [](Tracer& self, WordKind kind, std::uint64_t word) {
              static_cast<CallbackVisitor&>(self).visit_word(kind, word);
            },
            user),
        addresses_(addresses),
        body_(body) {}

 private:
  void visit_word(WordKind kind, std::uint64_t word) {
    if (kind == WordKind::pointer) {
      const std::uint32_t index = addresses_.index_of_pointer(word);
      if (index != Addresses::kOutside) body_(index, SlotKind::pointer, true);
      return;
    }
    addresses_.each_object_in(kind, word, [&](std::uint32_t index) {
      body_(index, SlotKind::ref, kind == WordKind::interior);
    });
  }

  const Addresses& addresses_;
  Body body_;
};

}  // namespace besom::detail
