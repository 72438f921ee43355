/// What a heap writes down about itself. That the texts are right: examples/observed.py.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csetjmp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gc/observer.hpp"
#include "inspect/observe/moments.hpp"
#include "inspect/observe/run_tables.hpp"
#include "inspect/observe/thinned.hpp"
#include "tests/gc/kit.hpp"
#include "tests/gc/snapshot_reader.hpp"
#include "tests/heap/fault_system.hpp"
#include "tests/support/temporary_folder.hpp"

namespace besom::test {
namespace {

namespace fs = std::filesystem;

using Names = std::vector<std::string>;

/// Keeps what is logged.
struct Lines {
  std::vector<std::pair<LogLevel, std::string>> lines;

  [[nodiscard]] LogSink sink() {
    return {.write =
                [](void* user, LogLevel level, const char* line) noexcept {
                  static_cast<Lines*>(user)->lines.emplace_back(level, line);
                },
            .user = this};
  }
  [[nodiscard]] std::ptrdiff_t count(std::string_view text) const {
    return std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
      return line.second.find(text) != std::string::npos;
    });
  }
};

HeapOptions observed(const TemporaryFolder& folder, std::uint64_t heap_max = 4 * kMiB) {
  HeapOptions options = exact_options(heap_max);
  options.trace = folder.file("t.json");
  options.record = folder.file("r.json");
  return options;
}

std::size_t count_in(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// A record is there, and all of it.
bool is_whole(const std::string& record) {
  return record.compare(0, 18, "{\"besom_record\":1,") == 0 && ends_with(record, "}\n");
}

void fill(Kit& kit) {
  const Handle<Node> first = kit.make_node();
  Handle<Node> last = kit.heap.make(kit.node);
  first->left = last.get();
  while (Node* next = kit.heap.allocate(kit.node)) {
    last->left = next;
    last = Handle<Node>(kit.heap, next);
  }
}

}  // namespace

TEST_CASE("Observe: a heap that is to write nothing has no observer", "[gc][observe]") {
  Kit kit;
  if (kit.heap.options().trace.empty() && kit.heap.options().record.empty()) {
    CHECK(detail::parts_of(kit.heap).observer == nullptr);
  }
}

TEST_CASE("Observe: the trace is there while the program runs, and ends with the heap",
          "[gc][observe]") {
  const TemporaryFolder folder;
  {
    Kit kit(observed(folder));
    CHECK(folder.names() == Names{"r.json", "t.json"});
    for (int i = 1; i <= 3; ++i) {
      REQUIRE_FALSE(kit.heap.collect());
      const std::string text = folder.text("t.json");
      CHECK(text.front() == '[');
      CHECK(text.back() == '}');
      CHECK(count_in(text, "\"full collection\"") == static_cast<std::size_t>(i));
    }
  }
  CHECK(ends_with(folder.text("t.json"), "}\n]\n"));
  CHECK(folder.names() == Names{"r.json", "t.json"});
}

TEST_CASE("Observe: a cycle's stops are in the trace one by one", "[gc][observe][incremental]") {
  const TemporaryFolder folder;
  HeapOptions options = observed(folder);
  options.incremental = true;
  StopStats slices;
  {
    Kit kit(options);
    const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 20'000);
    for (std::uint32_t i = 0; i < array->length(); ++i) (*array)[i] = kit.heap.allocate(kit.node);
    const std::uint64_t before = kit.heap.stats().collections;
    while (kit.heap.stats().collections == before) REQUIRE(kit.heap.step(1000));
    slices = kit.heap.stops(StopKind::slice);
    CHECK(slices.count > 10);
  }
  const std::string text = folder.text("t.json");
  CHECK(count_in(text, "\"slice\"") == slices.count);
  CHECK(count_in(text, "\"ph\":\"b\"") == count_in(text, "\"begin\""));
  CHECK(count_in(text, "\"ph\":\"e\"") == count_in(text, "\"ph\":\"b\""));
}

TEST_CASE("Observe: of a cycle that is given up the trace says so", "[gc][observe][incremental]") {
  const TemporaryFolder folder;
  HeapOptions options = observed(folder);
  options.incremental = true;
  {
    Kit kit(options);
    const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 20'000);
    for (std::uint32_t i = 0; i < array->length(); ++i) (*array)[i] = kit.heap.allocate(kit.node);
    while (kit.heap.stops(StopKind::slice).count == 0) REQUIRE(kit.heap.step(100));
    REQUIRE_FALSE(kit.heap.collect());
  }
  CHECK(count_in(folder.text("t.json"), "\"given_up\":true") == 1);
}

TEST_CASE("Observe: a process that is killed leaves a trace and a record that can be read",
          "[gc][observe][faults]") {
  const TemporaryFolder folder;
  const Death death = death_of([&] {
    Kit kit(observed(folder));
    for (int i = 0; i < 5; ++i) static_cast<void>(kit.heap.collect());
    kill(getpid(), SIGKILL);
  });
  CHECK(WTERMSIG(death.wait_status) == SIGKILL);
  const std::string trace = folder.text("t.json");
  CHECK(trace.back() == '}');
  CHECK(count_in(trace, "\"full collection\"") == 5);
  CHECK(is_whole(folder.text("r.json")));
  CHECK(count_in(folder.text("r.json"), "\"is_final\":false") == 1);
  CHECK(folder.names() == Names{"r.json", "t.json"});
}

TEST_CASE("Observe: of heaps that live together each has a file of its own", "[gc][observe]") {
  const TemporaryFolder folder;
  {
    const HeapOptions options = observed(folder);
    const std::unique_ptr<Heap> first = make_heap(options);
    std::unique_ptr<Heap> second = make_heap(options);
    const std::unique_ptr<Heap> third = make_heap(options);
    const Names all{"r.2.json", "r.3.json", "r.json", "t.2.json", "t.3.json", "t.json"};
    CHECK(folder.names() == all);
    REQUIRE_FALSE(second->collect());
    CHECK(count_in(folder.text("t.json"), "collection") == 0);
    CHECK(count_in(folder.text("t.2.json"), "\"full collection\"") == 1);
    second.reset();
    CHECK(count_in(folder.text("r.2.json"), "\"is_final\":true") == 1);
    second = make_heap(options);
    CHECK(folder.names() == all);
    CHECK(count_in(folder.text("r.2.json"), "\"is_final\":false") == 1);
  }
  HeapOptions plain = exact_options();
  plain.record = folder.file("noextension");
  HeapOptions hidden = exact_options();
  hidden.record = folder.file(".hidden");
  const std::unique_ptr<Heap> heaps[] = {make_heap(plain), make_heap(plain), make_heap(hidden),
                                         make_heap(hidden)};
  const Names names = folder.names();
  for (const char* name : {"noextension", "noextension.2", ".hidden", ".hidden.2"}) {
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
}

TEST_CASE("Observe: the child of a fork writes nothing", "[gc][observe]") {
  const TemporaryFolder folder;
  HeapOptions options = observed(folder, 1 * kMiB);
  options.snapshot_at_limit = folder.file("s.heapsnapshot");
  options.stats_at_exit = true;
  Lines parent_lines;
  options.sink = parent_lines.sink();
  {
    Kit kit(options);
    REQUIRE_FALSE(kit.heap.collect());
    const std::string trace = folder.text("t.json");
    const std::string record = folder.text("r.json");
    const Death death = death_of([&] {
      for (int i = 0; i < 200; ++i) static_cast<void>(kit.heap.collect());
      fill(kit);
      if (!kit.heap.error()) abort();
      kit.owned.reset();
      std::_Exit(parent_lines.lines.empty() ? 0 : 1);
    });
    INFO(death.describe());
    CHECK(WIFEXITED(death.wait_status));
    CHECK(WEXITSTATUS(death.wait_status) == 0);
    CHECK(folder.text("t.json") == trace);
    CHECK(folder.text("r.json") == record);
    CHECK(folder.names() == Names{"r.json", "t.json"});
    REQUIRE_FALSE(kit.heap.collect());
  }
  CHECK(count_in(folder.text("t.json"), "\"full collection\"") == 2);
  CHECK(count_in(folder.text("r.json"), "\"is_final\":true") == 1);
  CHECK(parent_lines.count("besom: collections  2") == 1);
}

TEST_CASE("Observe: a file that cannot be made is known when the heap is made",
          "[gc][observe][misuse]") {
  MisuseTable table("names for what a heap is to write");
  const TemporaryFolder folder;
  const std::string pipe = folder.file("pipe");
  const std::string nowhere = folder.file("none/a");
  fs::create_symlink("nothing", pipe);
  struct Row {
    const char* option;
    std::string name;
    int system_errno;
  };
  const Row rows[] = {
      {"trace", nowhere, ENOENT},
      {"record", nowhere, ENOENT},
      {"snapshot_at_limit", nowhere, ENOENT},
      {"trace", pipe, EEXIST},
      {"record", pipe, EEXIST},
      {"trace", "/dev/full", EEXIST},
  };
  for (const Row& row : rows) {
    INFO(row.option << '=' << row.name);
    HeapOptions options = exact_options();
    options = *parse_options(row.option + ("=" + row.name), options);
    const Result<HeapPtr> heap = Heap::create(options);
    REQUIRE_FALSE(heap);
    CHECK(heap.error().code == Errc::write_failed);
    CHECK(heap.error().system_errno == row.system_errno);
    CHECK(heap.error().name == std::string(row.option).substr(0, 23));
    CHECK(folder.names() == Names{"pipe"});
    table.row();
  }
  HeapOptions options = exact_options();
  options.record = std::string(FileName::kMostBytes + 1, 'x');
  CHECK(Heap::create(options).error().code == Errc::bad_option);
  options.record = std::string(FileName::kMostBytes, 'x');
  CHECK(Heap::create(options).error().code == Errc::write_failed);
  table.row();
}

TEST_CASE("Observe: each call for a file refused at each place, and the program goes on",
          "[gc][observe][faults]") {
  Lines lines;
  const auto run = [&](const TemporaryFolder& folder) -> Error {
    HeapOptions options = observed(folder, 1 * kMiB);
    options.snapshot_at_limit = folder.file("s.heapsnapshot");
    options.system = &FaultSystem::table();
    options.log = LogLevel::warn;
    options.sink = lines.sink();
    const Result<HeapPtr> heap = Heap::create(options);
    if (!heap) return heap.error();
    for (int i = 0; i < 3; ++i) {
      const Error error = (*heap)->collect();
      if (error) return error;
    }
    const Result<Type<ByteArray>> bytes = (*heap)->define<ByteArray>();
    std::vector<Handle<ByteArray>> held;
    while (ByteArray* array = (*heap)->allocate(*bytes, 100'000)) held.emplace_back(**heap, array);
    return {};
  };
  for (const SystemCall call :
       {SystemCall::create_file, SystemCall::write_file, SystemCall::sync_file,
        SystemCall::close_file, SystemCall::replace_file}) {
    FaultSystem::reset();
    {
      const TemporaryFolder folder;
      REQUIRE_FALSE(run(folder));
      CHECK(folder.names() == Names{"r.json", "s.heapsnapshot", "t.json"});
    }
    const std::uint64_t calls = FaultSystem::calls(call);
    REQUIRE(calls >= 2);
    for (std::uint64_t k = 1; k <= calls; ++k) {
      INFO(name_of(call) << ' ' << k << " of " << calls);
      const TemporaryFolder folder;
      FaultSystem::reset();
      FaultSystem::fail(call, k, false);
      lines.lines.clear();
      const Error error = run(folder);
      CHECK(FaultSystem::injected() == 1);
      FaultSystem::lift();
      // Closing a trace, or a file that only shows that it can be made, is no loss.
      const bool is_told = error.code == Errc::write_failed || lines.count(": write_failed") == 1;
      CHECK((is_told || call == SystemCall::close_file));
      if (error) CHECK(error.code == Errc::write_failed);
      const std::string record = folder.text("r.json");
      CHECK((record.empty() || is_whole(record)));
    }
  }
  FaultSystem::reset();
}

TEST_CASE("Observe: the heap is written once, before the first refusal", "[gc][observe]") {
  const TemporaryFolder folder;
  Lines lines;
  HeapOptions options = exact_options(1 * kMiB);
  options.snapshot_at_limit = folder.file("s.heapsnapshot");
  options.log = LogLevel::warn;
  options.sink = lines.sink();
  Kit kit(options);
  CHECK(folder.names().empty());
  fill(kit);
  CHECK(kit.heap.error().code == Errc::heap_limit);
  const std::string text = folder.text("s.heapsnapshot");
  CHECK(SnapshotReader(text).objects() > 60'000);
  CHECK(lines.count("s.heapsnapshot") == 1);
  CHECK(lines.count("heap_limit") == 1);
  fill(kit);
  CHECK(folder.text("s.heapsnapshot") == text);
  CHECK(lines.lines.size() == 1);
}

TEST_CASE("Observe: an embedder who makes room leaves nothing to write", "[gc][observe]") {
  const TemporaryFolder folder;
  HeapOptions options = observed(folder, 1 * kMiB);
  options.snapshot_at_limit = folder.file("s.heapsnapshot");
  static Handle<ByteArray> spare;
  options.near_limit = [](void*, Heap&, const Error&) {
    if (!spare) return false;
    spare.reset();
    return true;
  };
  {
    Kit kit(options);
    spare = kit.heap.make(kit.bytes, 300'000);
    Handle<ByteArray> second = kit.heap.make(kit.bytes, 600'000);
    CHECK(kit.heap.allocate(kit.bytes, 300'000) != nullptr);
    CHECK_FALSE(spare);
    CHECK(folder.names() == Names{"r.json", "t.json"});
    const Handle<ByteArray> third = kit.heap.make(kit.bytes, 300'000);
    CHECK(kit.heap.allocate(kit.bytes, 300'000) == nullptr);
    CHECK(folder.names() == Names{"r.json", "s.heapsnapshot", "t.json"});
    CHECK(count_in(folder.text("r.json"), "\"why\":\"limit\"") == 1);
    CHECK(count_in(folder.text("r.json"), "\"refusals\":1") == 1);
  }
}

TEST_CASE("Observe: the table at the end goes to the sink, or to standard error", "[gc][observe]") {
  HeapOptions options = exact_options();
  options.stats_at_exit = true;
  Lines lines;
  options.sink = lines.sink();
  {
    Kit kit(options);
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(lines.lines.empty());
  }
  CHECK(lines.count("besom: ") == static_cast<std::ptrdiff_t>(lines.lines.size()));
  CHECK(lines.count("besom: collections  1, of which 0 minor") == 1);
  CHECK(lines.count("besom: stops        full  1, ") == 1);
  options.sink = {};
  const Death death = death_of([&] {
    Kit kit(options);
    static_cast<void>(kit.heap.collect());
  });
  CHECK(death.says("besom: collections  1, of which 0 minor"));
}

TEST_CASE("Observe: a heap that writes collects at the same places", "[gc][observe]") {
  const auto run = [](const HeapOptions& options) {
    Kit kit(options);
    std::vector<std::uint64_t> collections;
    static_cast<void>(kit.heap.set_listener(
        [](void* user, const CollectionStats& stats) {
          auto& all = *static_cast<std::vector<std::uint64_t>*>(user);
          all.insert(all.end(), {stats.live_bytes, stats.freed_bytes, stats.minor});
        },
        &collections));
    std::vector<Handle<Node>> kept;
    for (int i = 0; i < 300'000; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      if (i % 10 == 0) kept.emplace_back(kit.heap, node);
      if (i % 100'000 == 0) kept.clear();
    }
    return collections;
  };
  for (const bool generational : {false, true}) {
    const TemporaryFolder folder;
    HeapOptions plain = exact_options();
    plain.generational = generational;
    plain.hash_seed = 1;
    HeapOptions writing = plain;
    writing.trace = folder.file("t.json");
    writing.record = folder.file("r.json");
    const std::vector<std::uint64_t> collections = run(plain);
    CHECK(collections.size() > 3);
    CHECK(run(writing) == collections);
  }
}

TEST_CASE("Observe: a callback that jumps out of a collection does no harm",
          "[gc][observe][recovery]") {
  const TemporaryFolder folder;
  {
    Kit kit(observed(folder));
    static std::jmp_buf landing;
    static bool jumps;
    const RootRegistration roots = kit.heap.add_roots(
        [](void*, Tracer&) {
          if (jumps) std::longjmp(landing, 1);
        },
        nullptr, "jumps");
    jumps = true;
    if (setjmp(landing) == 0) static_cast<void>(kit.heap.collect());
    REQUIRE_FALSE(kit.heap.recover());
    jumps = false;
    REQUIRE_FALSE(kit.heap.collect());
  }
  CHECK(count_in(folder.text("t.json"), "\"full collection\"") == 2);
  CHECK(count_in(folder.text("r.json"), "\"is_final\":true") == 1);
}

TEST_CASE("Observe: a table of events is exact while there is room, then merges neighbours",
          "[gc][observe]") {
  struct Row {
    std::uint64_t first, last, count;
    void merge(const Row& later) {
      CHECK(later.first == last + 1);
      last = later.last;
      count += later.count;
    }
  };
  detail::Thinned<Row, 8> table;
  REQUIRE(table.create());
  for (std::uint64_t i = 0; i < 1000; ++i) {
    table.add({i, i, 1});
    std::uint64_t sum = 0;
    for (const Row& row : table.rows()) {
      CHECK(row.first == sum);
      sum += row.count;
      CHECK(row.last + 1 == sum);
      CHECK((row.count == table.each() || &row == &table.rows().back()));
    }
    CHECK(sum == i + 1);
    CHECK(table.rows().size() >= std::min<std::uint64_t>(i + 1, 4));
    if (i < 8) CHECK(table.each() == 1);
  }
}

TEST_CASE("Observe: the record stays below a megabyte, whatever happens", "[gc][observe]") {
  const TemporaryFolder folder;
  {
    HeapOptions options = observed(folder, 256 * kKiB);
    options.trace = {};
    Kit kit(options);
    std::vector<Handle<Node>> kept;
    for (int i = 0; i < 100; ++i) {
      const Type<Node> type = kit.defined<Node>();
      for (int k = 0; k < 20; ++k) kept.emplace_back(kit.heap, kit.heap.allocate(type));
    }
    while (kit.heap.stats().collections < 2500) {
      for (int i = 0; i < 1000; ++i) REQUIRE(kit.heap.allocate(kit.bytes, 1000) != nullptr);
    }
  }
  const std::string record = folder.text("r.json");
  CHECK(is_whole(record));
  CHECK(record.size() < kMiB);
  CHECK(record.size() > 100 * kKiB);
  CHECK(count_in(record, "\"why\":\"collection\"") > 40);
}

TEST_CASE("Observe: moments are thinned to those that are as far apart as the rest",
          "[gc][observe]") {
  detail::Moments moments;
  REQUIRE(moments.create());
  std::uint64_t taken = 0;
  for (std::uint64_t ms = 1; ms <= 100'000; ++ms) {
    const std::uint64_t now = ms * 1'000'000;
    if (!moments.is_due(now)) continue;
    ++taken;
    detail::Moment& moment = moments.begin();
    moment.at_ns = now;
    moment.walk_ns = 1000;
    moment.why = taken == 10 ? detail::Moment::Why::limit : detail::Moment::Why::collection;
    moments.keep(moment);
  }
  CHECK(moments.all().size() >= detail::Moments::kMost / 2);
  CHECK(moments.all().size() <= detail::Moments::kMost);
  CHECK(taken < 1000);
  std::ptrdiff_t limits = 0;
  std::uint64_t widest = 0;
  for (std::size_t i = 0; i < moments.all().size(); ++i) {
    limits += moments.all()[i].why == detail::Moment::Why::limit ? 1 : 0;
    if (i != 0) widest = std::max(widest, moments.all()[i].at_ns - moments.all()[i - 1].at_ns);
  }
  CHECK(limits == 1);
  CHECK(widest < 100'000 * 1'000'000ull / 12);
}

TEST_CASE("Observe: walks take a twentieth of the run and no more", "[gc][observe]") {
  detail::Moments moments;
  REQUIRE(moments.create());
  std::uint64_t walked = 0;
  for (std::uint64_t ms = 1; ms <= 10'000; ++ms) {
    const std::uint64_t now = ms * 1'000'000;
    if (!moments.is_due(now)) continue;
    detail::Moment& moment = moments.begin();
    moment.at_ns = now;
    moment.walk_ns = 10'000'000;
    walked += moment.walk_ns;
    moments.keep(moment);
    CHECK(walked <= now / 20 + 10'000'000);
  }
  CHECK(walked > 300'000'000);
}

}  // namespace besom::test
