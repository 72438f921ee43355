#pragma once

#include <cstdint>

#include "heap/type.hpp"

namespace besom::detail {

/// Hands what an embedder's callback visits to `body(bits)`.
template <class Body>
class CallbackVisitor : public Tracer {
 public:
  explicit CallbackVisitor(Body body) noexcept
      : Tracer([](Tracer& self, const std::uint32_t& slot) {
          static_cast<CallbackVisitor&>(self).body_(slot);
        }),
        body_(body) {}

 private:
  Body body_;
};

}  // namespace besom::detail
