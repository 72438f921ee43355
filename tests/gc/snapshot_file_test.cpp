/// Snapshots in files: the old one is there, whole, until the new one is.

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/gc/kit.hpp"
#include "tests/gc/snapshot_reader.hpp"
#include "tests/heap/fault_system.hpp"
#include "tests/support/temporary_folder.hpp"

namespace besom::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOld = "the old snapshot";

/// With an old file in it.
class Folder : public TemporaryFolder {
 public:
  Folder() { std::ofstream(file()) << kOld; }

  [[nodiscard]] std::string file() const { return other(kName); }
  [[nodiscard]] std::string other(const char* name) const { return TemporaryFolder::file(name); }
  [[nodiscard]] std::string text() const { return TemporaryFolder::text(kName); }
  [[nodiscard]] bool is_as_before() const {
    return text() == kOld && names() == std::vector<std::string>{kName};
  }

 private:
  static constexpr const char* kName = "a.heapsnapshot";
};

/// A heap whose snapshot takes several writes.
struct Full : Kit {
  explicit Full(const System* system = nullptr) : Kit(options_with(system)) {
    array = heap.make(refs, 10'000);
    for (std::uint32_t i = 0; i < array->length(); ++i) (*array)[i] = heap.allocate(node);
  }
  static HeapOptions options_with(const System* system) {
    HeapOptions options = exact_options();
    options.system = system;
    return options;
  }
  Handle<RefArray<Node>> array;
};

}  // namespace

TEST_CASE("Snapshot: a file has what a sink gets, for its owner alone", "[gc][snapshot][file]") {
  const Folder folder;
  Full kit;
  const Result<SnapshotStats> stats = save_snapshot(kit.heap, folder.file().c_str());
  INFO(stats.error().message());
  REQUIRE(stats);
  CHECK(folder.text() == snapshot_text(kit.heap));
  CHECK(stats->bytes == folder.text().size());
  CHECK(stats->objects == 10'001);
  CHECK(folder.names().size() == 1);
  struct stat found {};
  REQUIRE(stat(folder.file().c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  REQUIRE(save_snapshot(kit.heap, folder.other("new").c_str()));
  CHECK(folder.names().size() == 2);
}

TEST_CASE("Snapshot: each call for a file refused at each place, once and for good",
          "[gc][snapshot][file][faults]") {
  FaultSystem::reset();
  Full kit(&FaultSystem::table());
  std::uint64_t injected = 0;
  for (const SystemCall call :
       {SystemCall::create_file, SystemCall::write_file, SystemCall::sync_file,
        SystemCall::close_file, SystemCall::replace_file}) {
    FaultSystem::reset();
    {
      const Folder folder;
      REQUIRE(save_snapshot(kit.heap, folder.file().c_str()));
    }
    const std::uint64_t calls = FaultSystem::calls(call);
    REQUIRE(calls >= (call == SystemCall::write_file ? 4u : 1u));
    for (std::uint64_t k = 1; k <= calls; ++k) {
      for (const bool persistent : {false, true}) {
        INFO(name_of(call) << ' ' << k << " of " << calls << (persistent ? ", and on" : ""));
        const Folder folder;
        FaultSystem::reset();
        FaultSystem::fail(call, k, persistent);
        const Result<SnapshotStats> stats = save_snapshot(kit.heap, folder.file().c_str());
        injected += FaultSystem::injected();
        REQUIRE_FALSE(stats);
        CHECK(stats.error().code == Errc::write_failed);
        CHECK(stats.error().system_errno == ENOSPC);
        CHECK(stats.error().detail != nullptr);
        CHECK(FaultSystem::injected() == 1);
        CHECK(folder.is_as_before());
        const bool was_made = call != SystemCall::create_file;
        CHECK(FaultSystem::calls(SystemCall::close_file) == (was_made ? 1 : 0));
        FaultSystem::lift();
        REQUIRE(save_snapshot(kit.heap, folder.file().c_str()));
        CHECK(folder.names().size() == 1);
      }
    }
  }
  CHECK(kit.survivors() == 10'001);
  std::fprintf(stderr, "injected file faults: %llu\n", static_cast<unsigned long long>(injected));
}

TEST_CASE("Snapshot: a file that cannot be removed either is left beside the old one",
          "[gc][snapshot][file][faults]") {
  static System system = operating_system();
  system.sync_file = [](int) {
    errno = EIO;
    return -1;
  };
  system.remove_file = [](const char*) {
    errno = EIO;
    return -1;
  };
  const Folder folder;
  Full kit(&system);
  const Result<SnapshotStats> stats = save_snapshot(kit.heap, folder.file().c_str());
  CHECK(stats.error().code == Errc::write_failed);
  CHECK(stats.error().system_errno == EIO);
  CHECK(folder.text() == kOld);
  CHECK(folder.names().size() == 2);
}

TEST_CASE("Snapshot: writes that take a part are gone on with", "[gc][snapshot][file]") {
  static System system = operating_system();
  system.write_file = [](int file, const void* data, std::size_t bytes, std::uint64_t offset) {
    return operating_system().write_file(file, data, std::min<std::size_t>(bytes, 1000), offset);
  };
  const Folder folder;
  Full kit(&system);
  REQUIRE(save_snapshot(kit.heap, folder.file().c_str()));
  CHECK(folder.text() == snapshot_text(kit.heap));
}

TEST_CASE("Snapshot: RLIMIT_FSIZE is an error and no signal", "[gc][snapshot][file][faults]") {
  Full kit;
  const std::uint64_t whole = snapshot_text(kit.heap).size();
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  for (const std::uint64_t room :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100'000}, whole - 1, whole}) {
    INFO(room << " of " << whole);
    const Folder folder;
    rlimit limit = before;
    limit.rlim_cur = room;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const Result<SnapshotStats> stats = save_snapshot(kit.heap, folder.file().c_str());
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(static_cast<bool>(stats) == (room == whole));
    if (stats) continue;
    CHECK(stats.error().code == Errc::write_failed);
    CHECK(stats.error().system_errno == EFBIG);
    CHECK(folder.is_as_before());
  }
}

TEST_CASE("Snapshot: a process killed while it writes leaves the old file whole",
          "[gc][snapshot][file][faults]") {
  static System system = operating_system();
  static int left = 0;
  system.write_file = [](int file, const void* data, std::size_t bytes, std::uint64_t offset) {
    if (--left == 0) kill(getpid(), SIGKILL);
    return operating_system().write_file(file, data, bytes, offset);
  };
  for (const int writes : {1, 2, 4}) {
    const Folder folder;
    left = writes;
    const Death death = death_of([&] {
      Full kit(&system);
      static_cast<void>(save_snapshot(kit.heap, folder.file().c_str()));
    });
    CHECK(WIFSIGNALED(death.wait_status));
    CHECK(WTERMSIG(death.wait_status) == SIGKILL);
    CHECK(folder.text() == kOld);
    CHECK(folder.names().size() == 2);
  }
}

TEST_CASE("Snapshot: what is no regular file is not replaced", "[gc][snapshot][file][misuse]") {
  MisuseTable table("names for snapshots that are no good");
  const Folder folder;
  Full kit;
  const std::string folder_name = folder.other("folder");
  const std::string link = folder.other("link");
  const std::string pipe = folder.other("pipe");
  fs::create_directory(folder_name);
  fs::create_symlink(folder.file(), link);
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const std::vector<std::string> names = folder.names();
  struct Row {
    std::string name;
    int system_errno;
  };
  const Row rows[] = {
      {folder_name, EEXIST},
      {link, EEXIST},
      {pipe, EEXIST},
      {folder.other("none/a.heapsnapshot"), ENOENT},
      {folder.file() + "/a.heapsnapshot", ENOTDIR},
      {folder.other(std::string(250, 'x').c_str()), ENAMETOOLONG},
      {std::string(4089, 'x'), ENAMETOOLONG},
      {std::string(100'000, 'x'), ENAMETOOLONG},
  };
  for (const Row& row : rows) {
    INFO(row.name.substr(0, 100));
    const Result<SnapshotStats> stats = save_snapshot(kit.heap, row.name.c_str());
    CHECK(stats.error().code == Errc::write_failed);
    CHECK(stats.error().system_errno == row.system_errno);
    CHECK(folder.names() == names);
    CHECK(folder.text() == kOld);
    table.row();
  }
}

TEST_CASE("Snapshot: one that a callback spoils leaves the old file", "[gc][snapshot][file]") {
  const Folder folder;
  Full kit;
  static int calls = 0;
  const SnapshotLabeller fickle{[](void*, const ObjectView&, SnapshotLabel& label) {
                                  label.length = ++calls % 2 == 0 ? 1 : 0;
                                  label.text[0] = 'x';
                                },
                                nullptr};
  CHECK(save_snapshot(kit.heap, folder.file().c_str(), fickle).error().code == Errc::abandoned);
  CHECK(folder.is_as_before());
}

}  // namespace besom::test
