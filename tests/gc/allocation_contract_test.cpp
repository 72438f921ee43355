/// Allocation by code that knows nothing but the contract's numbers.

#include <cstring>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

/// As a compiler's run time would keep it for each type of fixed size.
struct Site {
  AllocationContract contract;
  TypeId type = 0;
  std::uint32_t length = 0;
};

std::uint64_t load64(const void* base, std::uint32_t offset) {
  std::uint64_t word;
  std::memcpy(&word, static_cast<const char*>(base) + offset, sizeof word);
  return word;
}

/// What generated code does, in plain C; nullptr where it would call the slow path.
void* allocate_by_pointers(const Site& site) {
  const AllocationContract& contract = site.contract;
  auto* base = static_cast<char*>(contract.base);
  const std::uint64_t cursor = load64(base, contract.cursor_offset);
  if (load64(base, contract.limit_offset) - cursor < contract.object_bytes) return nullptr;
  auto* object = reinterpret_cast<char*>(cursor);
  const std::uint64_t next = cursor + contract.object_bytes;
  std::memcpy(base + contract.cursor_offset, &next, sizeof next);
  std::memset(object, 0, contract.object_bytes);
  std::memcpy(object, &site.type, sizeof site.type);
  std::memcpy(object + 4, &site.length, sizeof site.length);
  const auto index = static_cast<std::uint32_t>(cursor);
  std::memcpy(base + contract.newest_offset, &index, sizeof index);
  return object;
}

#if defined(__x86_64__)
/// The same by hand, as a template compiler would put it down.
void* allocate_by_assembly(const Site& site) {
  const AllocationContract& contract = site.contract;
  char* object = nullptr;
  std::uint64_t scratch = 0;
  auto* base = static_cast<char*>(contract.base);
  const std::uint64_t header = std::uint64_t{site.length} << 32 | site.type;
  asm volatile(
      "movl %[cursor], %%eax\n\t"
      "movq (%[base], %%rax), %[object]\n\t"
      "movl %[limit], %%ecx\n\t"
      "movq (%[base], %%rcx), %[scratch]\n\t"
      "subq %[object], %[scratch]\n\t"
      "movl %[bytes], %%ecx\n\t"
      "cmpq %%rcx, %[scratch]\n\t"
      "jb 1f\n\t"
      "leaq (%[object], %%rcx), %[scratch]\n\t"
      "movq %[scratch], (%[base], %%rax)\n\t"
      "movq %[object], %%rdi\n\t"
      "shrl $3, %%ecx\n\t"
      "xorl %%eax, %%eax\n\t"
      "rep stosq\n\t"
      "movq %[header], (%[object])\n\t"
      "movl %[newest], %%eax\n\t"
      "movl %k[object], (%[base], %%rax)\n\t"
      "jmp 2f\n"
      "1:\n\t"
      "xorl %k[object], %k[object]\n"
      "2:\n\t"
      : [object] "=&r"(object), [scratch] "=&r"(scratch)
      : [base] "r"(base), [header] "r"(header), [cursor] "m"(contract.cursor_offset),
        [limit] "m"(contract.limit_offset), [newest] "m"(contract.newest_offset),
        [bytes] "m"(contract.object_bytes)
      : "rax", "rcx", "rdi", "cc", "memory");
  return object;
}
#endif

struct Way {
  const char* name;
  void* (*allocate)(const Site& site);
};
const Way kWays[] = {{"pointers", allocate_by_pointers},
#if defined(__x86_64__)
                     {"assembly", allocate_by_assembly}
#endif
};

/// A node by the contract alone, however many calls it takes until there is a window for nodes.
Node* node_by(const Way& way, const Site& site, Kit& kit) {
  for (int i = 0; i < 10'000; ++i) {
    if (kit.heap.allocate(kit.node) == nullptr) break;
    if (void* object = way.allocate(site)) return static_cast<Node*>(object);
  }
  FAIL("no window was opened");
  return nullptr;
}

/// A program that allocates through the contract and keeps some of it in a table.
class Program {
 public:
  Program(Kit& kit, const Way& way) : kit_(kit), way_(way) {
    // All sizes from a bare header to the limit, and beyond it.
    for (std::uint32_t bytes = 8; bytes <= AllocationContract::kMostBytes + 48; bytes += 8) {
      sites_.push_back({kit.heap.allocation_contract(bytes), kit.bytes.id, bytes - 8});
    }
    table_ = kit.heap.make(kit.refs, kSlots);
    REQUIRE(table_);
    numbers_.resize(kSlots);
    sizes_.resize(kSlots);
  }

  void step(Random& random) {
    const Site& site = sites_[random.below(static_cast<std::uint32_t>(sites_.size()))];
    auto* object =
        static_cast<ByteArray*>(site.contract.object_bytes != 0 ? way_.allocate(site) : nullptr);
    ++(object != nullptr ? inline_count : slow_count);
    if (object == nullptr) {
      object = static_cast<ByteArray*>(kit_.heap.allocate(site.type, site.length));
    }
    if (object == nullptr) FAIL("exhausted");
    if (object->header.type != site.type || object->length() != site.length) FAIL("header");
    unsigned sum = 0;
    for (std::uint32_t i = 0; i < site.length; ++i) sum |= object->data()[i];
    if (sum != 0) FAIL("new memory is not zero");
    const auto number = static_cast<unsigned char>(random.next());
    std::memset(object->data(), number, site.length);
    if (random.chance(10)) {
      const std::uint32_t slot = random.below(kSlots);
      (*table_)[slot] = Ref<Node>(Ref<ByteArray>(object).index());
      numbers_[slot] = number;
      sizes_[slot] = site.length;
    }
  }

  /// Everything that was kept is there as it was written.
  void check() const {
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      const Ref<ByteArray> ref((*table_)[slot].ref().index());
      if (!ref) continue;
      const Result<ByteArray*> object = kit_.heap.check(ref, kit_.bytes);
      REQUIRE(object);
      REQUIRE((*object)->length() == sizes_[slot]);
      unsigned differing = 0;
      for (std::uint32_t i = 0; i < sizes_[slot]; ++i) {
        differing |= (*object)->data()[i] ^ unsigned { numbers_[slot] };
      }
      REQUIRE(differing == 0);
    }
    REQUIRE(verify(kit_.heap).ok());
  }

  std::uint64_t inline_count = 0;
  std::uint64_t slow_count = 0;

 private:
  static constexpr std::uint32_t kSlots = 300;

  Kit& kit_;
  const Way& way_;
  std::vector<Site> sites_;
  Handle<RefArray<Node>> table_;
  std::vector<unsigned char> numbers_;
  std::vector<std::uint32_t> sizes_;
};

}  // namespace

TEST_CASE("Contract: a million objects allocated by generated code alone", "[gc][contract]") {
  const int objects = kUnderSanitizer ? 100'000 : 1'000'000;
  const bool generational = GENERATE(false, true);
  for (const Way& way : kWays) {
    INFO(way.name << ", generational " << generational << ", seed " << test_seed());
    HeapOptions options = exact_options(16 * kMiB);
    options.heap_initial = 16 * kMiB;
    options.generational = generational;
    Kit kit(options);
    Program program(kit, way);
    Random random = random_for(way.name);
    for (int i = 0; i < objects; ++i) {
      program.step(random);
      if (i % 50'000 == 0) program.check();
      if (i % 70'000 == 0) REQUIRE_FALSE(kit.heap.collect());
    }
    program.check();
    CHECK(kit.heap.last_collection().bad_headers == 0);
    CHECK(kit.heap.stats().collections >= 5);
    // Some sizes are too large, and there are holes too small for windows.
    CHECK(program.inline_count > static_cast<std::uint64_t>(objects) / 3);
  }
}

TEST_CASE("Contract: under zeal every allocation comes through the slow path",
          "[gc][contract][zeal]") {
  for (const Way& way : kWays) {
    HeapOptions options = exact_options(16 * kMiB);
    options.zeal = Zeal::every(7);
    Kit kit(options);
    Program program(kit, way);
    Random random = random_for(way.name);
    for (int i = 0; i < 500; ++i) program.step(random);
    program.check();
    CHECK(program.inline_count == 0);
    CHECK(program.slow_count == 500);
  }
}

TEST_CASE("Contract: sizes are rounded up, and larger ones have no window", "[gc][contract]") {
  Kit kit(exact_options());
  const AllocationContract first = kit.heap.allocation_contract(8);
  for (std::uint32_t bytes = 0; bytes <= 512; ++bytes) {
    const AllocationContract contract = kit.heap.allocation_contract(bytes);
    INFO(bytes);
    CHECK(contract.object_bytes == (bytes == 0 ? 16 : (bytes + 15) / 16 * 16));
    CHECK(contract.base == first.base);
    CHECK(contract.newest_offset == first.newest_offset);
    CHECK(contract.limit_offset == contract.cursor_offset + 8);
    CHECK(contract.cursor_offset % 8 == 0);
    CHECK(contract.cursor_offset == first.cursor_offset + (contract.object_bytes - 16) / 16 * 24);
  }
  for (const std::uint32_t bytes : {513u, 528u, 4096u, ~0u - 14, ~0u}) {
    CHECK(kit.heap.allocation_contract(bytes).object_bytes == 0);
  }
  Kit other(exact_options());
  const AllocationContract of_other = other.heap.allocation_contract(8);
  CHECK(of_other.base != first.base);
  CHECK(of_other.cursor_offset == first.cursor_offset);
  CHECK(of_other.newest_offset == first.newest_offset);
}

TEST_CASE("Contract: the newest object lives through the next collection, if the code names it",
          "[gc][contract]") {
  Kit kit(exact_options());
  const Site site{kit.heap.allocation_contract(sizeof(Node)), kit.node.id, 0};
  const bool names_it = GENERATE(false, true);
  const std::uint32_t none = 0;
  for (const Way& way : kWays) {
    INFO(way.name << ", newest word written: " << names_it);
    std::uint64_t met = 0;
    for (int i = 0; i < 10'000 && met < 3; ++i) {
      Node* object = node_by(way, site, kit);
      if (!names_it) {
        std::memcpy(static_cast<char*>(site.contract.base) + site.contract.newest_offset, &none,
                    sizeof none);
      }
      const std::uint64_t before = kit.heap.stats().collections;
      REQUIRE(kit.heap.allocate(kit.bytes, 60'000) != nullptr);
      if (kit.heap.stats().collections == before) continue;
      ++met;
      CHECK(kit.lives(Kit::ref_of(object)) == names_it);
    }
    CHECK(met == 3);
    // A handle takes it over, as it does any new object.
    const Handle<Node> root(kit.heap, node_by(way, site, kit));
    REQUIRE(root);
    CHECK(kit.survivors() == 1);
  }
}

}  // namespace besom::test
