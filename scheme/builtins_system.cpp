/// The collector, the process, time.

#include <chrono>
#include <cstdlib>
#include <ctime>

#include "builtins.hpp"
#include "numbers.hpp"
#include "ports.hpp"
#include "snapshot.hpp"

extern char** environ;

namespace scheme {
namespace {

BUILTIN(gc) {
  in.registers.scratch[0] = in.registers.scratch[1] = kFalse;
  if (const besom::Error error = in.heap().collect()) in.fail("gc: " + error.message());
  in.after_collection();
  return kUnspecified;
}
BUILTIN(gc_stats) {
  const besom::HeapStats stats = in.heap().stats();
  const besom::CollectionStats& last = in.heap().last_collection();
  const std::pair<const char*, std::uint64_t> figures[] = {
      {"collections", stats.collections},   {"allocated-bytes", stats.allocated},
      {"live-bytes", last.live_bytes},      {"live-objects", last.live_objects},
      {"committed-bytes", stats.committed}, {"capacity-bytes", stats.capacity},
      {"pause-ns", stats.pause_ns},         {"pause-max-ns", stats.pause_max_ns},
      {"freed-bytes", stats.freed_bytes},   {"freed-objects", stats.freed_objects}};
  ListBuilder list(in);
  for (const auto& [name, figure] : figures) {
    const Rooted symbol(in, in.symbol(name));
    const Rooted value(in, in.integer(static_cast<std::int64_t>(figure)));
    list.add(in.cons(symbol.get(), value.get()));
  }
  return list.finish();
}
BUILTIN(heap_verify) {
  const besom::VerifyReport report = besom::verify(in.heap());
  if (report.error) in.fail("heap-verify: " + report.error.message());
  if (!report.ok()) in.fail("heap-verify: " + report.defects[0].message());
  return kTrue;
}

BUILTIN(heap_snapshot) {
  if (!in.is(args[0], kString)) in.wrong_type("heap-snapshot", "string", args[0]);
  const besom::Result<besom::SnapshotStats> stats = save_snapshot(in, in.utf8(args[0]));
  if (!stats) in.fail("heap-snapshot: " + stats.error().message(), {args[0]}, kFileCondition);
  return kUnspecified;
}

// Weak boxes: (weak-box-value box [default]).
BUILTIN(make_weak_box) {
  auto* box = in.make<WeakBox>(kWeakBox);
  box->target.set(args[0]);
  return in.ref(box);
}
BUILTIN(is_weak_box) { return boolean(in.is(args[0], kWeakBox)); }
BUILTIN(weak_box_value) {
  if (!in.is(args[0], kWeakBox)) in.wrong_type("weak-box-value", "weak box", args[0]);
  const Value target = in.at<WeakBox>(args[0])->target.get_weak();
  return target.is_null() ? (count == 2 ? args[1] : kFalse) : target;
}

// SRFI 124. A broken ephemeron has no key.
BUILTIN(make_ephemeron) {
  auto* ephemeron = in.make<Ephemeron>(kEphemeron, 1);
  ephemeron->entry()[0].set(args[0]);
  ephemeron->entry()[1].set(args[1]);
  return in.ref(ephemeron);
}
Ephemeron* ephemeron_of(Interp& in, Value value, const char* who) {
  if (!in.is(value, kEphemeron)) in.wrong_type(who, "ephemeron", value);
  return in.at<Ephemeron>(value);
}
BUILTIN(is_ephemeron) { return boolean(in.is(args[0], kEphemeron)); }
BUILTIN(is_broken) {
  Slot* key = ephemeron_of(in, args[0], "ephemeron-broken?")->entry();
  besom::prepare_read(key, false);
  return boolean(key->get().is_null());
}
template <int part>
BUILTIN(ephemeron_part) {
  auto* ephemeron = ephemeron_of(in, args[0], part == 0 ? "ephemeron-key" : "ephemeron-datum");
  const Value wanted = ephemeron->entry()[part].get_weak();
  return ephemeron->entry()[0].get().is_null() ? kFalse : wanted;
}
/// Its argument is reachable up to here.
BUILTIN(reference_barrier) { return kUnspecified; }
BUILTIN(make_guardian) { return in.make_guardian(); }

BUILTIN(exit_now) {
  if (count == 0 || args[0] == kTrue) throw Exit{0};
  if (args[0] == kFalse) throw Exit{1};
  throw Exit{is_fixnum(args[0]) ? fixnum_of(args[0]) & 255 : 70};
}
BUILTIN(command_line) { return in.registers.command_line; }
BUILTIN(get_variable) {
  if (!in.is(args[0], kString)) in.wrong_type("get-environment-variable", "string", args[0]);
  const char* value = std::getenv(in.utf8(args[0]).c_str());
  return value == nullptr ? kFalse : in.string(value);
}
BUILTIN(get_variables) {
  ListBuilder list(in);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const Rooted name(in, in.string(text.substr(0, equals)));
    const Rooted value(in, in.string(text.substr(equals + 1)));
    list.add(in.cons(name.get(), value.get()));
  }
  return list.finish();
}

BUILTIN(current_second) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return in.flonum(std::chrono::duration<double>(now).count());
}
BUILTIN(current_jiffy) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return in.integer(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}
BUILTIN(jiffies_per_second) { return fixnum(1'000'000); }
BUILTIN(runtime) {
  return in.flonum(static_cast<double>(std::clock()) / static_cast<double>(CLOCKS_PER_SEC));
}

constexpr Builtin kBuiltins[] = {
    {"gc", gc, 0, 0},
    {"gc-stats", gc_stats, 0, 0},
    {"make-weak-box", make_weak_box, 1, 1},
    {"weak-box?", is_weak_box, 1, 1},
    {"weak-box-value", weak_box_value, 1, 2},
    {"make-ephemeron", make_ephemeron, 2, 2},
    {"ephemeron?", is_ephemeron, 1, 1},
    {"ephemeron-broken?", is_broken, 1, 1},
    {"ephemeron-key", ephemeron_part<0>, 1, 1},
    {"ephemeron-datum", ephemeron_part<1>, 1, 1},
    {"reference-barrier", reference_barrier, 1, 1},
    {"make-guardian", make_guardian, 0, 0},
    {"heap-verify", heap_verify, 0, 0},
    {"heap-snapshot", heap_snapshot, 1, 1},
    {"emergency-exit", exit_now, 0, 1},
    {"command-line", command_line, 0, 0},
    {"get-environment-variable", get_variable, 1, 1},
    {"get-environment-variables", get_variables, 0, 0},
    {"current-second", current_second, 0, 0},
    {"current-jiffy", current_jiffy, 0, 0},
    {"jiffies-per-second", jiffies_per_second, 0, 0},
    {"runtime", runtime, 0, 0},
};

}  // namespace

std::span<const Builtin> system_builtins() { return kBuiltins; }

}  // namespace scheme
