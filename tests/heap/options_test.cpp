/// Settings as text, and settings that make no sense.

#include <besom/options.hpp>
#include <clocale>
#include <limits>
#include <string>

#include "tests/heap/show.hpp"

namespace besom::test {
namespace {

HeapOptions parsed(std::string_view text, const HeapOptions& base = {}) {
  INFO(std::string(text));
  Result<HeapOptions> options = parse_options(text, base);
  REQUIRE(options);
  return *options;
}

}  // namespace

TEST_CASE("Options: no text changes nothing", "[heap][options]") {
  HeapOptions base;
  base.heap_max = 12345678;
  base.mark_stack = 9;
  const HeapOptions options = parsed("", base);
  CHECK(options.heap_max == 12345678);
  CHECK(options.mark_stack == 9);
}

TEST_CASE("Options: sizes count bytes, or with K, M, G in either case", "[heap][options]") {
  CHECK(parsed("heap_max=65536").heap_max == 65536);
  CHECK(parsed("heap_max=64K").heap_max == 64 << 10);
  CHECK(parsed("heap_max=64k").heap_max == 64 << 10);
  CHECK(parsed("heap_max=64M").heap_max == 64 << 20);
  CHECK(parsed("heap_max=64m").heap_max == 64 << 20);
  CHECK(parsed("heap_max=4G").heap_max == std::uint64_t{4} << 30);
  CHECK(parsed("heap_max=4g").heap_max == std::uint64_t{4} << 30);
  CHECK(parsed("heap_max=18446744073709551615").heap_max == ~std::uint64_t{0});
  CHECK(parsed("heap_max=17179869183G").heap_max == std::uint64_t{17179869183} << 30);
  CHECK(parsed("heap_initial=1M").heap_initial == 1 << 20);
  CHECK(parsed("heap_initial=0").heap_initial == 0);
  CHECK(parsed("reserve=5G").reserve == std::uint64_t{5} << 30);
}

TEST_CASE("Options: growth is fixed or a factor", "[heap][options]") {
  CHECK(parsed("growth=fixed").growth.factor == 0);
  CHECK(parsed("growth=1.5").growth.factor == 1.5);
  CHECK(parsed("growth=3").growth.factor == 3);
  CHECK(parsed("growth=1000").growth.factor == 1000);
  CHECK(parsed("growth=1.1").growth.factor == 1.1);
  CHECK(parsed("growth=01.50").growth.factor == 1.5);
  CHECK(parsed("growth=1.00000000000001").growth.factor == 1.00000000000001);
}

TEST_CASE("Options: a factor has a decimal point whatever the locale says", "[heap][options]") {
  const char* old = std::setlocale(LC_NUMERIC, nullptr);
  const std::string saved = old != nullptr ? old : "C";
  for (const char* locale : {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8", "C"}) {
    if (std::setlocale(LC_NUMERIC, locale) == nullptr) continue;
    CHECK(parsed("growth=1.5").growth.factor == 1.5);
    CHECK_FALSE(parse_options("growth=1,5"));
  }
  std::setlocale(LC_NUMERIC, saved.c_str());
}

TEST_CASE("Options: safepoints are on or off", "[heap][options]") {
  CHECK_FALSE(HeapOptions{}.safepoints);
  const HeapOptions on = parsed("safepoints=on");
  CHECK(on.safepoints);
  CHECK_FALSE(parsed("safepoints=off", on).safepoints);
}

TEST_CASE("Options: zeal is off, or a sum", "[heap][options]") {
  const Zeal all = parsed("zeal=alloc:100").zeal;
  CHECK((all.collect_every == 100 && all.verify && all.poison));
  const Zeal some = parsed("zeal=alloc:7+verify").zeal;
  CHECK((some.collect_every == 7 && some.verify && !some.poison));
  const Zeal poison = parsed("zeal=poison").zeal;
  CHECK((poison.collect_every == 0 && !poison.verify && poison.poison));
  const Zeal both = parsed("zeal=verify+poison").zeal;
  CHECK((both.collect_every == 0 && both.verify && both.poison));
  HeapOptions base;
  base.zeal = Zeal::every(3);
  const Zeal off = parsed("zeal=off", base).zeal;
  CHECK((off.collect_every == 0 && !off.verify && !off.poison && off.quarantine == 0));
}

TEST_CASE("Options: a quarantine comes with alloc:N, and may have another size",
          "[heap][options]") {
  const Zeal all = parsed("zeal=alloc:2").zeal;
  CHECK(all.quarantine == Zeal::kQuarantine);
  const Zeal larger = parsed("zeal=alloc:2+quarantine:16M").zeal;
  CHECK((larger.quarantine == 16 << 20 && larger.verify && larger.poison));
  const Zeal none = parsed("zeal=alloc:2+quarantine:0").zeal;
  CHECK((none.quarantine == 0 && none.verify && none.poison));
  const Zeal some = parsed("zeal=alloc:2+verify").zeal;
  CHECK((some.quarantine == 0 && some.verify && !some.poison));
  const Zeal alone = parsed("zeal=quarantine:64K").zeal;
  CHECK((alone.quarantine == 64 << 10 && alone.collect_every == 0 && !alone.verify));
  CHECK(alone.poison);
  CHECK_FALSE(parse_options("zeal=quarantine:"));
  CHECK_FALSE(parse_options("zeal=quarantine"));
  CHECK_FALSE(parse_options("zeal=quarantine:x"));
  CHECK_FALSE(parse_options("zeal=quarantine:1+"));
}

TEST_CASE("Options: the other keys", "[heap][options]") {
  CHECK(parsed("mark_stack=64").mark_stack == 64);
  CHECK(parsed("log=trace").log == LogLevel::trace);
  CHECK(parsed("log=debug").log == LogLevel::debug);
  CHECK(parsed("log=info").log == LogLevel::info);
  CHECK(parsed("log=warn").log == LogLevel::warn);
  CHECK(parsed("log=error").log == LogLevel::error);
  CHECK(parsed("log=off").log == LogLevel::off);
}

TEST_CASE("Options: names of files are taken as they are, up to a comma", "[heap][options]") {
  const HeapOptions options =
      parsed("trace=/tmp/a b=c.json,record=r,stats=exit,snapshot_at_limit=s.heapsnapshot");
  CHECK(options.trace.c_str() == std::string("/tmp/a b=c.json"));
  CHECK(options.record.c_str() == std::string("r"));
  CHECK(options.snapshot_at_limit.c_str() == std::string("s.heapsnapshot"));
  CHECK(options.stats_at_exit);
  const HeapOptions off = parsed("trace=,record=,snapshot_at_limit=,stats=off", options);
  CHECK(off.trace.empty());
  CHECK(off.record.empty());
  CHECK(off.snapshot_at_limit.empty());
  CHECK_FALSE(off.stats_at_exit);
  std::string text = "trace=";
  text.append(FileName::kMostBytes, 'x');
  CHECK(parsed(text).trace.c_str() == text.substr(6));
  text.push_back('x');
  CHECK(parse_options(text).error().code == Errc::bad_option);
  HeapOptions set;
  set.record = text.substr(6);
  CHECK(check_options(set).code == Errc::bad_option);
  set.record = static_cast<const char*>(nullptr);
  CHECK(set.record.empty());
  CHECK_FALSE(check_options(set));
}

TEST_CASE("Options: several settings, the last of one key counting", "[heap][options]") {
  const HeapOptions options = parsed("heap_max=64M,zeal=alloc:100,log=debug,heap_max=32M");
  CHECK(options.heap_max == 32 << 20);
  CHECK(options.zeal.collect_every == 100);
  CHECK(options.log == LogLevel::debug);
}

TEST_CASE("Options: a senseless setting is a bad_option that names it", "[heap][options][misuse]") {
  struct Row {
    const char* text;
    const char* names;
  };
  const Row rows[] = {
      {"heap_max", "key=value"},
      {"heap_max,", "key=value"},
      {"heap_max=64M,", "key=value"},
      {",", "key=value"},
      {" ", "key=value"},
      {",heap_max=64M", "key=value"},
      {"heap_max=64M,,log=off", "key=value"},
      {"heap_max=64M;log", "heap_max"},
      {"=64M", "unknown key"},
      {"stats=on", "stats"},
      {"heapmax=64M", "unknown key"},
      {"HEAP_MAX=64M", "unknown key"},
      {" heap_max=64M", "unknown key"},
      {"heap_max =64M", "unknown key"},
      {"sink=1", "unknown key"},
      {"heap_max=", "heap_max"},
      {"heap_max=M", "heap_max"},
      {"heap_max=-1", "heap_max"},
      {"heap_max=+1", "heap_max"},
      {"heap_max= 64M", "heap_max"},
      {"heap_max=64M ", "heap_max"},
      {"heap_max=64MB", "heap_max"},
      {"heap_max=64KK", "heap_max"},
      {"heap_max=64T", "heap_max"},
      {"heap_max=0x1000", "heap_max"},
      {"heap_max=1e6", "heap_max"},
      {"heap_max=1.5G", "heap_max"},
      {"heap_max=18446744073709551616", "heap_max"},
      {"heap_max=18014398509481984K", "heap_max"},
      {"heap_max=17179869184G", "heap_max"},
      {"heap_initial=", "heap_initial"},
      {"heap_initial=one", "heap_initial"},
      {"heap_initial=1=2", "heap_initial"},
      {"reserve=", "reserve"},
      {"reserve=all", "reserve"},
      {"growth=", "growth"},
      {"growth=0", "growth"},
      {"growth=Fixed", "growth"},
      {"growth=fixed:2", "growth"},
      {"growth=2x", "growth"},
      {"growth=two", "growth"},
      {"growth=nan", "growth"},
      {"growth=NAN", "growth"},
      {"growth=nan(1)", "growth"},
      {"growth=inf", "growth"},
      {"growth=infinity", "growth"},
      {"growth=-inf", "growth"},
      {"growth=-1", "growth"},
      {"growth=-0", "growth"},
      {"growth=+2", "growth"},
      {"growth=1e400", "growth"},
      {"growth=1e1", "growth"},
      {"growth=0x2", "growth"},
      {"growth=.5", "growth"},
      {"growth=2.", "growth"},
      {"growth=.", "growth"},
      {"growth=1.5.1", "growth"},
      {"growth= 2", "growth"},
      {"growth=2 ", "growth"},
      {"growth=0.5", "growth"},
      {"growth=1", "growth"},
      {"growth=1.0", "growth"},
      {"growth=1000.1", "growth"},
      {"growth=9999999999999999", "growth"},
      {"growth=1.000000000000001", "growth"},
      {"safepoints=", "safepoints"},
      {"safepoints=maybe", "safepoints"},
      {"safepoints=1", "safepoints"},
      {"generational=", "generational"},
      {"generational=ON", "generational"},
      {"generational=true", "generational"},
      {"zeal=", "zeal"},
      {"zeal=on", "zeal"},
      {"zeal=alloc", "zeal"},
      {"zeal=alloc:", "zeal"},
      {"zeal=alloc:0", "zeal"},
      {"zeal=alloc:-1", "zeal"},
      {"zeal=alloc:x", "zeal"},
      {"zeal=alloc:4294967296", "zeal"},
      {"zeal=alloc:1+", "zeal"},
      {"zeal=+alloc:1", "zeal"},
      {"zeal=verify+off", "zeal"},
      {"zeal=verify,poison", "key=value"},
      {"zeal=Verify", "zeal"},
      {"mark_stack=", "mark_stack"},
      {"mark_stack=-1", "mark_stack"},
      {"mark_stack=4294967296", "mark_stack"},
      {"mark_stack=64K", "mark_stack"},
      {"log=", "log"},
      {"log=verbose", "log"},
      {"log=INFO", "log"},
      {"log=1", "log"},
  };
  MisuseTable table("settings as text");
  for (const Row& row : rows) {
    INFO(row.text);
    const Result<HeapOptions> options = parse_options(row.text);
    CHECK_FALSE(options);
    CHECK(options.error().code == Errc::bad_option);
    CHECK(options.error().message().find(row.names) != std::string::npos);
    table.row();
  }
}

TEST_CASE("Options: the error has the key, value or setting that is wrong", "[heap][options]") {
  const auto name_in = [](std::string_view text) {
    return std::string(parse_options(text).error().name);
  };
  CHECK(name_in("heap_max=64M,heapmax=1,log=off") == "heapmax");
  CHECK(name_in("heap_max=64T") == "64T");
  CHECK(name_in("heap_max=") == "");
  CHECK(name_in("zeal=verify,poison") == "poison");
  CHECK(name_in("=1") == "");
  // Text of any length and kind: cut, and one line whatever is in it.
  CHECK(name_in("heap_maximum_in_bytes_=1") == "heap_maximum_in_bytes_");
  CHECK(name_in("heap_maximum_in_bytes__=1") == "heap_maximum_in_bytes__");
  CHECK(name_in("heap_maximum_in_bytes___=1") == "heap_maximum_in_byte...");
  CHECK(name_in(std::string(100'000, 'k').append("=1")) == std::string(20, 'k').append("..."));
  CHECK(name_in(std::string("a\nb\0c\x1b\xc3\xa9=1", 10)) == "a?b?c???");
  CHECK(parse_options("heapmax=1").error().message().find("bad_option: `heapmax`: unknown key") ==
        0);
}

TEST_CASE("Options: settings at their bounds pass", "[heap][options]") {
  HeapOptions options;
  CHECK_FALSE(check_options(options));
  options.heap_max = 64 << 10;
  CHECK_FALSE(check_options(options));
  options.heap_initial = 64 << 10;
  CHECK_FALSE(check_options(options));
  options.reserve = 64 << 10;
  CHECK_FALSE(check_options(options));
  options.heap_max = options.heap_initial = HeapOptions::kMaxHeap;
  options.reserve = 2 * HeapOptions::kMaxHeap;
  CHECK_FALSE(check_options(options));
  options.growth = Growth::of_live(1000);
  CHECK_FALSE(check_options(options));
  options.growth = Growth::of_live(1.001);
  CHECK_FALSE(check_options(options));
}

TEST_CASE("Options: a system lacks no call that is required, and its page is one",
          "[heap][options][misuse]") {
  MisuseTable table("systems");
  const auto refused = [&](const System& system, const char* names) {
    HeapOptions options;
    options.system = &system;
    const Error error = check_options(options);
    INFO(names);
    CHECK(error.code == Errc::bad_option);
    CHECK(error.message().find(names) != std::string::npos);
    table.row();
  };
  const System& whole = operating_system();
  HeapOptions options;
  options.system = &whole;
  CHECK_FALSE(check_options(options));
  refused({}, "`reserve`");
  System system = whole;
  system.map = nullptr;
  refused(system, "`map`");
  system = whole;
  system.unmap = nullptr;
  refused(system, "`unmap`");
  system = whole;
  system.commit = nullptr;
  refused(system, "`commit`");
  system = whole;
  system.discard = nullptr;
  refused(system, "`discard`");
  for (const std::size_t page : {1, 2048, 4095, 12'288, 4 << 20}) {
    system = whole;
    system.page_bytes = page;
    refused(system, "`page_bytes`");
  }
  // All the others may be missing.
  const System least{.reserve = whole.reserve,
                     .map = whole.map,
                     .unmap = whole.unmap,
                     .commit = whole.commit,
                     .discard = whole.discard};
  options.system = &least;
  CHECK_FALSE(check_options(options));
}

TEST_CASE("Options: contradictions are a bad_option that names the setting",
          "[heap][options][misuse]") {
  constexpr std::uint64_t kMax = HeapOptions::kMaxHeap;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  struct Row {
    std::uint64_t initial, max, reserve;
    double factor;
    const char* names;
  };
  const Row rows[] = {
      {0, 0, 0, 2, "heap_max"},
      {0, 1, 0, 2, "heap_max"},
      {0, 65535, 0, 2, "heap_max"},
      {0, kMax + 1, 0, 2, "heap_max"},
      {0, ~std::uint64_t{0}, 0, 2, "heap_max"},
      {65537, 65536, 0, 2, "heap_initial"},
      {kMax + 1, kMax, 0, 2, "heap_initial"},
      {~std::uint64_t{0}, kMax, 0, 2, "heap_initial"},
      {0, 65536, 1, 2, "reserve"},
      {0, 65536, 65535, 2, "reserve"},
      {0, kMax, kMax - 1, 2, "reserve"},
      {0, 65536, 2 * kMax + 1, 2, "reserve"},
      {0, 65536, ~std::uint64_t{0}, 2, "reserve"},
      {0, kMax, 0, 1, "growth"},
      {0, kMax, 0, 0.5, "growth"},
      {0, kMax, 0, -1, "growth"},
      {0, kMax, 0, -2, "growth"},
      {0, kMax, 0, 1000.5, "growth"},
      {0, kMax, 0, 1e300, "growth"},
      {0, kMax, 0, kInfinity, "growth"},
      {0, kMax, 0, -kInfinity, "growth"},
      {0, kMax, 0, kNan, "growth"},
  };
  MisuseTable table("contradicting settings");
  HeapOptions no_level;
  no_level.log = static_cast<LogLevel>(6);
  CHECK(check_options(no_level).code == Errc::bad_option);
  table.row();
  for (const Row& row : rows) {
    const HeapOptions options{.heap_initial = row.initial,
                              .heap_max = row.max,
                              .reserve = row.reserve,
                              .growth = {row.factor}};
    const Error error = check_options(options);
    INFO(row.initial << ' ' << row.max << ' ' << row.reserve << ' ' << row.factor);
    CHECK(error.code == Errc::bad_option);
    CHECK(error.message().find(row.names) != std::string::npos);
    table.row();
  }
}

}  // namespace besom::test
