/// eqv?, equal? and what they rest on.

#include <cstring>
#include <unordered_set>
#include <utility>
#include <vector>

#include "interp.hpp"
#include "lists.hpp"
#include "numbers.hpp"

namespace scheme {

bool is_eqv(const Interp& in, Value x, Value y) noexcept {
  if (x == y) return true;
  if (!is_object(x) || !is_object(y)) return false;
  if (are_same_number(in, x, y)) return true;
  return in.is(x, kString) && in.is(y, kString) && in.at<String>(x)->size() == 0 &&
         in.at<String>(y)->size() == 0;
}

bool is_equal(Interp& in, Value x, Value y) {
  // Pairs of objects that are still to be compared. After so many steps the structures may be
  // circular: from then on no pair is compared twice.
  constexpr std::uint64_t kMayBeCircular = 100'000;
  std::vector<std::pair<Value, Value>> waiting;
  std::unordered_set<std::uint64_t> seen;
  std::uint64_t steps = 0;
  for (;;) {
    bool descended = false;
    if (!is_eqv(in, x, y)) {
      if (!is_object(x) || !is_object(y)) return false;
      const TypeNumber type{in.at<Header>(x)->type};
      if (in.at<Header>(y)->type != type) return false;
      const bool is_new =
          ++steps < kMayBeCircular || seen.insert(std::uint64_t{x.bits()} << 32 | y.bits()).second;
      switch (type) {
        case kPair:
          if (!is_new) break;
          waiting.emplace_back(in.cdr(x), in.cdr(y));
          x = in.car(x);
          y = in.car(y);
          descended = true;
          break;
        case kVector: {
          auto *a = in.at<Vector>(x), *b = in.at<Vector>(y);
          if (a->size() != b->size()) return false;
          for (std::uint32_t i = a->size(); is_new && i > 0; --i) {
            waiting.emplace_back(a->slots()[i - 1].get(), b->slots()[i - 1].get());
          }
          break;
        }
        case kString:
          if (in.text(x) != in.text(y)) return false;
          break;
        case kBytevector: {
          auto *a = in.at<Bytevector>(x), *b = in.at<Bytevector>(y);
          if (a->size() != b->size() || std::memcmp(a->bytes(), b->bytes(), a->size()) != 0) {
            return false;
          }
          break;
        }
        case kBox:
          if (!is_new) break;
          x = in.at<Box>(x)->value.get();
          y = in.at<Box>(y)->value.get();
          descended = true;
          break;
        default:
          return false;
      }
    }
    if (descended) continue;
    if (waiting.empty()) return true;
    std::tie(x, y) = waiting.back();
    waiting.pop_back();
  }
}

/// By two runners, so that a circular list ends.
std::int64_t list_length(const Interp& in, Value list) noexcept {
  std::int64_t length = 0;
  Value slow = list;
  for (;; slow = in.cdr(slow)) {
    for (int i = 0; i < 2; ++i) {
      if (list == kNil) return length;
      if (!in.is_pair(list)) return -1;
      list = in.cdr(list);
      ++length;
    }
    if (list == slow) return -1;
  }
}

}  // namespace scheme
