/// What is said when something fails, and what a failed result refuses.

#include <besom/error.hpp>
#include <cerrno>
#include <set>
#include <string>

#include "tests/heap/show.hpp"
#include "tests/support/death.hpp"

namespace besom::test {
namespace {

constexpr Errc kLastCode = Errc::bad_argument;

}  // namespace

TEST_CASE("Error: every code has a name of its own", "[heap][error]") {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(kLastCode); ++code) {
    names.insert(name_of(static_cast<Errc>(code)));
  }
  CHECK(names.size() == static_cast<std::size_t>(kLastCode) + 1);
  CHECK(names.count("unknown") == 0);
  CHECK(std::string(name_of(static_cast<Errc>(200))) == "unknown");
}

TEST_CASE("Error: the message holds code, bytes, limit, detail and errno", "[heap][error]") {
  CHECK(Error{}.message() == "ok");
  CHECK(Error{.code = Errc::bad_ref}.message() == "bad_ref");
  CHECK(Error{.code = Errc::bad_option, .detail = "heap_max: not a size"}.message() ==
        "bad_option: heap_max: not a size");
  const std::string full = Error{.code = Errc::commit_failed,
                                 .system_errno = ENOMEM,
                                 .bytes = ~std::uint64_t{0},
                                 .limit = 64,
                                 .detail = "why"}
                               .message();
  for (const char* part : {"commit_failed", "18446744073709551615 bytes needed",
                           "limit is 64 bytes", "why", "Cannot allocate memory"}) {
    INFO(full);
    CHECK(full.find(part) != std::string::npos);
  }
}

TEST_CASE("Error: what was wrong is no number of bytes", "[heap][error]") {
  CHECK(Error{.code = Errc::bad_type, .bytes = 24, .limit = 32, .detail = "size"}.message() ==
        "bad_type: 24, against 32 (size)");
  CHECK(Error{.code = Errc::wrong_heap, .bytes = 1, .limit = 2}.message() ==
        "wrong_heap: 1, against 2");
  CHECK(Error{.code = Errc::bad_ref, .bytes = 64, .detail = "no object starts there"}.message() ==
        "bad_ref: 64 (no object starts there)");
}

TEST_CASE("Error: only ok is false", "[heap][error]") {
  CHECK_FALSE(Error{});
  for (int code = 1; code <= static_cast<int>(kLastCode); ++code) {
    CHECK(Error{.code = static_cast<Errc>(code)});
  }
}

TEST_CASE("Result: taking the value of a failure aborts with the code", "[heap][error][misuse]") {
  MisuseTable table("values of failed results");
  Result<std::string> failed(Error{.code = Errc::heap_limit, .bytes = 32});
  CHECK_FALSE(failed);
  CHECK_ABORTS(*failed, "value of a failed result");
  table.row();
  CHECK_ABORTS(failed->size(), "value of a failed result");
  table.row();
  CHECK_ABORTS(std::string(*std::move(failed)), "value of a failed result");
  table.row();
  const Result<std::string> constant(Error{.code = Errc::heap_limit});
  CHECK_ABORTS(*constant, "value of a failed result");
  table.row();
  CHECK_ABORTS(constant->size(), "value of a failed result");
  table.row();
}

TEST_CASE("Result: gives its value", "[heap][error]") {
  Result<std::string> good(std::string("x"));
  CHECK(good);
  CHECK(*good == "x");
  CHECK(good->size() == 1);
  CHECK(good.error().code == Errc::ok);
  CHECK(*std::move(good) == "x");
}

}  // namespace besom::test
