/// Ranges of memory that are scanned for whatever looks like a root.

#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "heap/poison.hpp"
#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

std::uint64_t word_of(const void* object) { return reinterpret_cast<std::uintptr_t>(object); }

}  // namespace

TEST_CASE("Ambiguous: a word that is an address keeps its object, and only while it stands there",
          "[gc][roots][ambiguous]") {
  Kit kit;
  std::uint64_t words[8] = {};
  const RootRegistration range = kit.heap.add_ambiguous_range(words, words + 8, "words");
  REQUIRE(range);
  for (const std::uint64_t offset : {0u, 1u, 8u, 15u, 16u, 40u, 63u}) {
    for (std::uint64_t& word : words) {
      INFO("offset " << offset << ", word " << &word - words);
      Block* block = kit.heap.allocate(kit.block);
      word = word_of(block) + offset;
      Node* node = kit.heap.allocate(kit.node);
      block->last = node;
      CHECK(kit.survivors() == 2);
      CHECK(kit.lives(Kit::ref_of(block)));
      word = 0;
      CHECK(kit.survivors() == 0);
    }
  }
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Ambiguous: the address behind an object is not the object's", "[gc][roots][ambiguous]") {
  Kit kit(exact_options());
  std::uint64_t word = 0;
  const RootRegistration range = kit.heap.add_ambiguous_range(&word, &word + 1, "word");
  Node* first = kit.heap.allocate(kit.node);
  Node* second = kit.heap.allocate(kit.node);
  REQUIRE(second == first + 1);
  word = word_of(second);
  CHECK(kit.survivors() == 1);
  CHECK_FALSE(kit.lives(Kit::ref_of(first)));
  CHECK(kit.lives(Kit::ref_of(second)));
}

TEST_CASE("Ambiguous: a ref in either half of a word is one", "[gc][roots][ambiguous]") {
  Kit kit;
  Ref<Node> refs[4];
  const RootRegistration range = kit.heap.add_ambiguous_range(refs, refs + 4, "refs");
  for (Ref<Node>& ref : refs) ref = Kit::ref_of(kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 4);
  refs[2] = nullptr;
  CHECK(kit.survivors() == 3);
  // An index is exact: into an object it is a number like any other.
  Block* block = kit.heap.allocate(kit.block);
  refs[2] = Ref<Node>(Kit::ref_of(block).index() + 16);
  CHECK(kit.survivors() == 3);
  CHECK_FALSE(kit.lives(Kit::ref_of(block)));
}

TEST_CASE("Ambiguous: only whole aligned words in the range count", "[gc][roots][ambiguous]") {
  Kit kit;
  alignas(8) unsigned char bytes[40] = {};
  const RootRegistration range = kit.heap.add_ambiguous_range(bytes + 1, bytes + 31, "bytes");
  for (std::size_t at = 0; at <= 32; at += 4) {
    const std::uint64_t word = word_of(kit.heap.allocate(kit.node)) + 1;  // no ref in its halves
    std::memcpy(bytes + at, &word, sizeof word);
    INFO("at " << at);
    CHECK(kit.survivors() == (at == 8 || at == 16 ? 1 : 0));
    std::memset(bytes, 0, sizeof bytes);
  }
}

TEST_CASE("Ambiguous: any bytes at all are no defect and do no harm", "[gc][roots][ambiguous]") {
  Kit kit(exact_options());
  Random random = random_for("Ambiguous: any bytes");
  INFO("seed " << test_seed());
  std::vector<std::uint64_t> words(1000);
  const RootRegistration range =
      kit.heap.add_ambiguous_range(words.data(), words.data() + words.size(), "noise");
  const std::uint64_t base = word_of(detail::base_of(kit.heap));
  for (int round = 0; round < 100; ++round) {
    for (std::uint64_t& word : words) {
      word = random.next() >> random.below(64);
      if (random.chance(50)) word = base + (random.next() >> (32 + random.below(32)));
      if (random.chance(10)) word = base + kit.heap.stats().capacity - random.below(32);
    }
    for (int i = 0; i < 1000; ++i) {
      REQUIRE(kit.heap.allocate(i % 3 == 0 ? kit.block.id : kit.node.id) != nullptr);
    }
    const std::uint64_t survivors = kit.survivors();
    CHECK(survivors <= 3 * words.size());
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Ambiguous: memory that ASan has poisoned is read all the same",
          "[gc][roots][ambiguous]") {
  Kit kit;
  const auto words = std::make_unique<std::uint64_t[]>(8);
  const RootRegistration range = kit.heap.add_ambiguous_range(&words[0], &words[0] + 8, "words");
  words[3] = word_of(kit.heap.allocate(kit.node));
#if BESOM_HAS_ASAN
  ASAN_POISON_MEMORY_REGION(&words[0], 64);
#endif
  CHECK(kit.survivors() == 1);
  detail::unpoison(&words[0], 64);
}

TEST_CASE("Ambiguous: registrations end, move, and go with their heap", "[gc][roots][ambiguous]") {
  std::uint64_t word = 0;
  RootRegistration outliving;
  {
    Kit kit;
    RootRegistration range = kit.heap.add_ambiguous_range(&word, &word + 1, "word");
    word = word_of(kit.heap.allocate(kit.node));
    CHECK(kit.survivors() == 1);
    outliving = std::move(range);
    CHECK_FALSE(range);
    CHECK(kit.survivors() == 1);
    CHECK_FALSE(outliving.remove());
    CHECK(outliving.remove().code == Errc::stale_handle);
    CHECK(kit.survivors() == 0);
    outliving = kit.heap.add_ambiguous_range(&word, &word + 1, "word");
    word = word_of(kit.heap.allocate(kit.node));
    REQUIRE_FALSE(kit.heap.reset());
    CHECK(outliving.remove().code == Errc::stale_handle);
    outliving = kit.heap.add_ambiguous_range(&word, &word + 1, "word");
  }
  CHECK(outliving.remove().code == Errc::stale_handle);
}

TEST_CASE("Ambiguous: empty ranges, and one that ends below its beginning",
          "[gc][roots][ambiguous]") {
  Kit kit;
  std::uint64_t words[2] = {};
  words[0] = words[1] = word_of(kit.heap.allocate(kit.node));
  const RootRegistration nothing = kit.heap.add_ambiguous_range(nullptr, nullptr, "null");
  CHECK(nothing);
  const RootRegistration empty = kit.heap.add_ambiguous_range(words, words, "empty");
  CHECK(empty);
  const RootRegistration part = kit.heap.add_ambiguous_range(
      reinterpret_cast<char*>(words) + 4, reinterpret_cast<char*>(words) + 12, "no whole word");
  CHECK(part);
  CHECK(kit.survivors() == 0);
  const RootRegistration wrong = kit.heap.add_ambiguous_range(words + 2, words, "wrong");
  CHECK_FALSE(wrong);
  CHECK(kit.heap.error().code == Errc::bad_option);
}

TEST_CASE("Ambiguous: refused to another thread and during a collection",
          "[gc][roots][ambiguous][threads]") {
  Kit kit;
  std::uint64_t word = 0;
  Errc code = Errc::ok;
  const auto add = [&] {
    const RootRegistration range = kit.heap.add_ambiguous_range(&word, &word + 1, "word");
    code = range ? Errc::ok : kit.heap.error().code;
    const RootRegistration stack = kit.heap.scan_native_stack();
    if (stack || kit.heap.error().code != code) code = Errc::ok;
  };
  std::thread(add).join();
  CHECK(code == Errc::wrong_thread);
  std::function<void()> call = add;
  const RootRegistration roots = kit.heap.add_roots(
      [](void* user, Tracer&) { (*static_cast<std::function<void()>*>(user))(); }, &call, "calls");
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(code == Errc::reentrant);
}

}  // namespace besom::test
