/// A file that takes the place of another when it is whole. Each fault:
/// tests/gc/snapshot_file_test.

#include "heap/replaced_file.hpp"

#include <cerrno>
#include <fstream>
#include <string>

#include "tests/heap/show.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace besom::test {
namespace {

struct Folder : TemporaryFolder {
  [[nodiscard]] std::string text() const { return TemporaryFolder::text("file"); }
  [[nodiscard]] std::size_t files() const { return names().size(); }

  std::string file = TemporaryFolder::file("file");
};

}  // namespace

TEST_CASE("ReplacedFile: the old file is there until the new one is whole", "[heap][file]") {
  const Folder folder;
  std::ofstream(folder.file) << "old";
  {
    detail::ReplacedFile file(operating_system());
    REQUIRE_FALSE(file.open(folder.file.c_str()));
    REQUIRE_FALSE(file.write("new and ", 8));
    REQUIRE_FALSE(file.write("longer", 6));
    CHECK(folder.text() == "old");
    CHECK(folder.files() == 2);
    REQUIRE_FALSE(file.commit());
    CHECK(folder.text() == "new and longer");
  }
  CHECK(folder.text() == "new and longer");
  CHECK(folder.files() == 1);
}

TEST_CASE("ReplacedFile: what is not committed leaves nothing", "[heap][file]") {
  const Folder folder;
  {
    detail::ReplacedFile file(operating_system());
    REQUIRE_FALSE(file.open(folder.file.c_str()));
    REQUIRE_FALSE(file.write("half", 4));
    CHECK(folder.files() == 1);
  }
  CHECK(folder.files() == 0);
  { const detail::ReplacedFile never_opened(operating_system()); }
  CHECK(folder.files() == 0);
}

TEST_CASE("ReplacedFile: an empty file is one, too", "[heap][file]") {
  const Folder folder;
  detail::ReplacedFile file(operating_system());
  REQUIRE_FALSE(file.open(folder.file.c_str()));
  REQUIRE_FALSE(file.commit());
  CHECK(folder.files() == 1);
  CHECK(folder.text().empty());
}

TEST_CASE("ReplacedFile: a folder that is not there is an error with errno", "[heap][file]") {
  const Folder folder;
  detail::ReplacedFile file(operating_system());
  const Error error = file.open((folder.file + "/none").c_str());
  CHECK(error.code == Errc::write_failed);
  CHECK(error.system_errno == ENOENT);
}

TEST_CASE("ReplacedFile: a system without files is told of", "[heap][file]") {
  const auto refused = [](const System& system) {
    detail::ReplacedFile file(system);
    const Error error = file.open("besom_never_made");
    return error.code == Errc::write_failed && error.system_errno == ENOSYS;
  };
  CHECK(refused({}));
  System system = operating_system();
  system.sync_file = nullptr;
  CHECK(refused(system));
  system = operating_system();
  system.remove_file = nullptr;
  CHECK(refused(system));
}

}  // namespace besom::test
