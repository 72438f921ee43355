/// The C interface: errors, options, heaps, allocation, collecting, statistics.

#include <bit>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "capi/capi.hpp"

using besom::CollectionStats;
using besom::Error;
using besom::HeapOptions;
using besom::HeapStats;
using besom::Result;
using besom::StopKind;
using besom::StopStats;
using besom::Utilisation;
using besom::detail::bad_argument;
using besom::detail::enum_of;
using besom::detail::give;
using besom::detail::give_heap_error;
using besom::detail::number_of;
using besom::detail::to_c;

namespace {

// One definition of each value and layout: C sees what C++ has.

#define BESOM_SAME_CODE(c, cpp) static_assert(c == static_cast<int>(besom::Errc::cpp))
BESOM_SAME_CODE(BESOM_OK, ok);
BESOM_SAME_CODE(BESOM_RESERVE_FAILED, reserve_failed);
BESOM_SAME_CODE(BESOM_COMMIT_FAILED, commit_failed);
BESOM_SAME_CODE(BESOM_HEAP_LIMIT, heap_limit);
BESOM_SAME_CODE(BESOM_OBJECT_TOO_LARGE, object_too_large);
BESOM_SAME_CODE(BESOM_OUT_OF_HOST_MEMORY, out_of_host_memory);
BESOM_SAME_CODE(BESOM_BAD_REF, bad_ref);
BESOM_SAME_CODE(BESOM_BAD_TYPE, bad_type);
BESOM_SAME_CODE(BESOM_BAD_OPTION, bad_option);
BESOM_SAME_CODE(BESOM_STALE_HANDLE, stale_handle);
BESOM_SAME_CODE(BESOM_WRONG_HEAP, wrong_heap);
BESOM_SAME_CODE(BESOM_WRONG_THREAD, wrong_thread);
BESOM_SAME_CODE(BESOM_REENTRANT, reentrant);
BESOM_SAME_CODE(BESOM_UNBALANCED, unbalanced);
BESOM_SAME_CODE(BESOM_NO_COLLECT, no_collect);
BESOM_SAME_CODE(BESOM_ABANDONED, abandoned);
BESOM_SAME_CODE(BESOM_WRITE_FAILED, write_failed);
BESOM_SAME_CODE(BESOM_BAD_ARGUMENT, bad_argument);

static_assert(BESOM_LOG_TRACE == static_cast<int>(besom::LogLevel::trace));
static_assert(BESOM_LOG_WARN == static_cast<int>(besom::LogLevel::warn));
static_assert(BESOM_LOG_OFF == static_cast<int>(besom::LogLevel::off));
static_assert(BESOM_CAUSE_REQUESTED == static_cast<int>(besom::Cause::requested));
static_assert(BESOM_CAUSE_FULL == static_cast<int>(besom::Cause::full));
static_assert(BESOM_CAUSE_PACE == static_cast<int>(besom::Cause::pace));
static_assert(BESOM_CAUSE_EXTERNAL == static_cast<int>(besom::Cause::external));
static_assert(BESOM_CAUSE_NURSERY == static_cast<int>(besom::Cause::nursery));
static_assert(BESOM_CAUSE_ZEAL == static_cast<int>(besom::Cause::zeal));

static_assert(BESOM_CARD_SHIFT == besom::detail::Cards::kShift);
static_assert(BESOM_CARD_PAGE == besom::detail::Cards::kGap);
static_assert(sizeof(besom_header) == sizeof(besom::Header));
static_assert(offsetof(besom_header, length) == offsetof(besom::Header, length));

#define BESOM_SAME_PLACE(c, cpp, member) static_assert(offsetof(c, member) == offsetof(cpp, member))
#define BESOM_SAME(member) BESOM_SAME_PLACE(besom_contract, besom::AllocationContract, member)
static_assert(sizeof(besom_contract) == sizeof(besom::AllocationContract));
BESOM_SAME(base);
BESOM_SAME(cursor_offset);
BESOM_SAME(limit_offset);
BESOM_SAME(newest_offset);
BESOM_SAME(object_bytes);
#undef BESOM_SAME

#define BESOM_SAME(member) BESOM_SAME_PLACE(besom_collection, CollectionStats, member)
static_assert(sizeof(besom_collection) == sizeof(CollectionStats));
BESOM_SAME(number);
BESOM_SAME(cause);
BESOM_SAME(abandoned);
BESOM_SAME(minor);
BESOM_SAME(live_bytes);
BESOM_SAME(live_objects);
BESOM_SAME(freed_bytes);
BESOM_SAME(freed_objects);
BESOM_SAME(roots_ns);
BESOM_SAME(mark_ns);
BESOM_SAME(weak_ns);
BESOM_SAME(sweep_ns);
BESOM_SAME(pause_ns);
BESOM_SAME(holes);
BESOM_SAME(largest_hole);
BESOM_SAME(committed);
BESOM_SAME(reserved);
BESOM_SAME(returned);
BESOM_SAME(external);
BESOM_SAME(born_bytes);
BESOM_SAME(bad_refs);
BESOM_SAME(bad_headers);
BESOM_SAME(mark_rescans);
BESOM_SAME(weak_cleared);
BESOM_SAME(entries_broken);
BESOM_SAME(finalizers_ready);
BESOM_SAME(released);
#undef BESOM_SAME

#define BESOM_SAME(member) BESOM_SAME_PLACE(besom_stats, HeapStats, member)
static_assert(sizeof(besom_stats) == sizeof(HeapStats));
BESOM_SAME(collections);
BESOM_SAME(abandoned);
BESOM_SAME(capacity);
BESOM_SAME(used);
BESOM_SAME(committed);
BESOM_SAME(reserved);
BESOM_SAME(table_bytes);
BESOM_SAME(table_reserved);
BESOM_SAME(external);
BESOM_SAME(allocated);
BESOM_SAME(pause_ns);
BESOM_SAME(pause_max_ns);
BESOM_SAME(freed_bytes);
BESOM_SAME(freed_objects);
BESOM_SAME(finalizers_run);
BESOM_SAME(finalizers_failed);
BESOM_SAME(released);
BESOM_SAME(touched);
#undef BESOM_SAME

#define BESOM_SAME(member) BESOM_SAME_PLACE(besom_stop_stats, StopStats, member)
static_assert(sizeof(besom_stop_stats) == sizeof(StopStats));
static_assert(BESOM_STOP_LENGTHS == StopStats::kLengths);
static_assert(BESOM_STOP_END == static_cast<int>(StopKind::end));
BESOM_SAME(count);
BESOM_SAME(total_ns);
BESOM_SAME(longest_ns);
BESOM_SAME(lengths);
#undef BESOM_SAME

#define BESOM_SAME(member) BESOM_SAME_PLACE(besom_utilisation, Utilisation, member)
static_assert(sizeof(besom_utilisation) == sizeof(Utilisation));
BESOM_SAME(in_1_ms);
BESOM_SAME(in_5_ms);
BESOM_SAME(in_10_ms);
BESOM_SAME(in_50_ms);
#undef BESOM_SAME

/// Files are the operating system's.
[[nodiscard]] besom::System to_cpp(const besom_system& system) noexcept {
  besom::System calls = besom::operating_system();
  calls.reserve = system.reserve;
  calls.map = system.map;
  calls.unmap = system.unmap;
  calls.commit = system.commit;
  calls.discard = system.discard;
  calls.advise_huge = system.advise_huge;
  calls.name = system.name;
  calls.advise_small = system.advise_small;
  calls.page_bytes = system.page_bytes;
  return calls;
}

/// One that fills its array to the end is too long.
[[nodiscard]] std::string_view text_in(const char (&name)[BESOM_FILE_NAME]) noexcept {
  return {name, strnlen(name, sizeof name)};
}
static_assert(BESOM_FILE_NAME == besom::FileName::kMostBytes + 1);

[[nodiscard]] HeapOptions to_cpp(const besom_options& options) noexcept {
  HeapOptions result;
  result.heap_initial = options.heap_initial;
  result.heap_max = options.heap_max;
  result.reserve = options.reserve;
  result.growth = {options.growth};
  result.generational = options.generational;
  result.incremental = options.incremental;
  result.slice = options.slice;
  result.safepoints = options.safepoints;
  result.zeal = {.collect_every = options.zeal_every,
                 .verify = options.zeal_verify,
                 .poison = options.zeal_poison,
                 .quarantine = options.zeal_quarantine};
  result.mark_stack = options.mark_stack;
  result.hash_seed = options.hash_seed;
  result.log = static_cast<besom::LogLevel>(number_of(options.log));
  result.read_environment = options.read_environment;
  result.trace = text_in(options.trace);
  result.snapshot_at_limit = text_in(options.snapshot_at_limit);
  result.record = text_in(options.record);
  result.stats_at_exit = options.stats_at_exit;
  result.allocation_profile = text_in(options.allocation_profile);
  result.sample_bytes = options.sample_bytes;
  return result;
}

/// All that has a value of its own in C++; the rest of `options` stays.
void write_to(besom_options& options, const HeapOptions& source) noexcept {
  options.heap_initial = source.heap_initial;
  options.heap_max = source.heap_max;
  options.reserve = source.reserve;
  options.growth = source.growth.factor;
  options.generational = source.generational;
  options.incremental = source.incremental;
  options.slice = source.slice;
  options.safepoints = source.safepoints;
  options.zeal_every = source.zeal.collect_every;
  options.zeal_verify = source.zeal.verify;
  options.zeal_poison = source.zeal.poison;
  options.zeal_quarantine = source.zeal.quarantine;
  options.mark_stack = source.mark_stack;
  options.hash_seed = source.hash_seed;
  options.log = static_cast<besom_log_level>(source.log);
  options.read_environment = source.read_environment;
  std::strcpy(options.trace, source.trace.c_str());
  std::strcpy(options.snapshot_at_limit, source.snapshot_at_limit.c_str());
  std::strcpy(options.record, source.record.c_str());
  options.stats_at_exit = source.stats_at_exit;
  std::strcpy(options.allocation_profile, source.allocation_profile.c_str());
  options.sample_bytes = source.sample_bytes;
}

besom_status tell(besom_error* out, const Error& error) noexcept {
  if (out != nullptr) *out = to_c(error);
  return static_cast<besom_status>(error.code);
}

[[nodiscard]] besom::Errc to_errc(const besom_status& code) noexcept {
  return enum_of(number_of(code), besom::Errc::bad_argument);
}

/// Whether these are options at all, so that the rest can be read.
[[nodiscard]] Error check_stored(const besom_options& options) noexcept {
  if (options.struct_bytes != sizeof(besom_options)) {
    return {.code = besom::Errc::bad_option,
            .bytes = options.struct_bytes,
            .limit = sizeof(besom_options),
            .detail = "struct_bytes: not as besom_options_init() sets it"};
  }
  if (number_of(options.log) > BESOM_LOG_OFF) {
    return {.code = besom::Errc::bad_option,
            .bytes = number_of(options.log),
            .limit = BESOM_LOG_OFF,
            .detail = "log: no level"};
  }
  return {};
}

[[nodiscard]] Error check(const besom_options& options) noexcept {
  if (const Error fault = check_stored(options)) return fault;
  HeapOptions wanted = to_cpp(options);
  besom::System calls;
  if (options.system != nullptr) {
    calls = to_cpp(*options.system);
    wanted.system = &calls;
  }
  return besom::check_options(wanted);
}

void write_line(void* user, besom::LogLevel level, const char* line) noexcept {
  const auto* heap = static_cast<const besom_heap*>(user);
  heap->log_write(heap->log_user, static_cast<besom_log_level>(level), line);
}

bool ask(void* user, besom::Heap&, const Error& refusal) {
  auto* heap = static_cast<besom_heap*>(user);
  const besom_error error = to_c(refusal);
  return heap->near_limit(heap->near_limit_user, heap, &error);
}

void listen(void* user, const CollectionStats& stats) {
  const auto* heap = static_cast<const besom_heap*>(user);
  const auto collection = std::bit_cast<besom_collection>(stats);
  heap->listener(heap->listener_user, &collection);
}

}  // namespace

const char* besom_status_name(besom_status code) { return besom::name_of(to_errc(code)); }

size_t besom_error_message(const besom_error* error, char* buffer, size_t size) {
  if (error == nullptr) {
    if (buffer != nullptr && size != 0) *buffer = 0;
    return 0;
  }
  if (buffer == nullptr) size = 0;
  return Error{.code = to_errc(error->code),
               .system_errno = error->system_errno,
               .bytes = error->bytes,
               .limit = error->limit,
               .detail = error->detail,
               .used = error->used}
      .named({error->name, strnlen(error->name, sizeof error->name)})
      .write_message(buffer, size);
}

const besom_error* besom_last_error(const besom_heap* heap) {
  static constexpr besom_error kNoHeap = to_c(bad_argument("heap"));
  return heap != nullptr ? &heap->error : &kNoHeap;
}

const char* besom_version(void) { return BESOM_VERSION; }

void besom_options_init(besom_options* options) {
  if (options == nullptr) return;
  *options = {};
  options->struct_bytes = sizeof *options;
  write_to(*options, HeapOptions{});
}

besom_status besom_options_parse(besom_options* options, const char* text, besom_error* error) {
  if (options == nullptr || text == nullptr) {
    return tell(error, bad_argument(options == nullptr ? "options" : "text"));
  }
  if (const Error fault = check_stored(*options)) return tell(error, fault);
  const Result<HeapOptions> parsed = besom::parse_options(text, to_cpp(*options));
  if (parsed) write_to(*options, *parsed);
  return tell(error, parsed.error());
}

besom_status besom_options_check(const besom_options* options, besom_error* error) {
  if (options == nullptr) return tell(error, bad_argument("options"));
  return tell(error, check(*options));
}

besom_status besom_heap_create(const besom_options* options, besom_heap** heap,
                               besom_error* error) {
  if (heap == nullptr) return tell(error, bad_argument("heap"));
  *heap = nullptr;
  besom_options defaults;
  besom_options_init(&defaults);
  if (options == nullptr) options = &defaults;
  if (const Error fault = check(*options)) return tell(error, fault);
  std::unique_ptr<besom_heap> made(new (std::nothrow) besom_heap);
  if (made == nullptr) {
    return tell(error, {.code = besom::Errc::out_of_host_memory, .detail = "heap"});
  }
  HeapOptions wanted = to_cpp(*options);
  made->log_write = options->log_write;
  made->log_user = options->log_user;
  if (made->log_write != nullptr) wanted.sink = {.write = write_line, .user = made.get()};
  made->near_limit = options->near_limit;
  made->near_limit_user = options->near_limit_user;
  if (made->near_limit != nullptr) {
    wanted.near_limit = ask;
    wanted.near_limit_user = made.get();
  }
  made->system = options->system;
  if (options->system != nullptr) {
    made->calls = to_cpp(*options->system);
    wanted.system = &made->calls;
  }
  Result<besom::HeapPtr> created = besom::Heap::create(wanted);
  if (!created) return tell(error, created.error());
  made->heap = created->release();
  made->token_bits = besom::detail::enter_heap(made.get(), besom::detail::base_of(*made->heap));
  *heap = made.release();
  return tell(error, {});
}

void besom_heap_destroy(besom_heap* heap) { delete heap; }

besom_status besom_reset(besom_heap* heap) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->reset());
}

besom_status besom_attach_thread(besom_heap* heap) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->attach_thread());
}

besom_status besom_recover(besom_heap* heap) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->recover());
}

void besom_heap_options(const besom_heap* heap, besom_options* options) {
  if (options == nullptr) return;
  if (heap == nullptr) {
    *options = {};
    return;
  }
  besom_options_init(options);
  write_to(*options, heap->heap->options());
  options->near_limit = heap->near_limit;
  options->near_limit_user = heap->near_limit_user;
  options->log_write = heap->log_write;
  options->log_user = heap->log_user;
  options->system = heap->system;
}

void* besom_allocate(besom_heap* heap, besom_type type, uint64_t length) {
  if (heap == nullptr) return nullptr;
  void* object =
      besom::detail::allocate_for(*heap->heap, type, length, __builtin_return_address(0));
  if (object == nullptr) give_heap_error(heap);
  return object;
}

void* besom_get(const besom_heap* heap, besom_ref ref) {
  if (heap == nullptr) return nullptr;
  return heap->heap->get(besom::Ref<void>(ref));
}

besom_status besom_check(besom_heap* heap, besom_ref ref, besom_type type, void** object) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  const Result<besom::Header*> header = heap->heap->check(besom::Ref<void>(ref), type);
  if (!header) return give(heap, header.error());
  if (object != nullptr) *object = *header;
  return BESOM_OK;
}

void besom_integer_failed(int64_t i) {
  static_cast<void>(besom::Value::integer(i));
  std::abort();
}

bool besom_contains(const besom_heap* heap, const void* address) {
  if (heap == nullptr) return false;
  return heap->heap->contains(address);
}

void* besom_object_start(besom_heap* heap, const void* address) {
  if (heap == nullptr) return nullptr;
  return heap->heap->object_start(address);
}

besom_contract besom_allocation_contract(besom_heap* heap, uint64_t size_bytes) {
  if (heap == nullptr) return {};
  return std::bit_cast<besom_contract>(heap->heap->allocation_contract(size_bytes));
}

besom_status besom_set_always_remembered(besom_heap* heap, const void* object, bool remembered) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->set_always_remembered(object, remembered));
}

besom_status besom_collect(besom_heap* heap) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->collect());
}

besom_status besom_safepoint(besom_heap* heap) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->safepoint());
}

besom_status besom_step_cycle(besom_heap* heap, uint64_t units, uint64_t* left) {
  if (left != nullptr) *left = 0;
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  const Result<std::uint64_t> result = heap->heap->step(units);
  if (!result) return give(heap, result.error());
  if (left != nullptr) *left = *result;
  return BESOM_OK;
}

void besom_note_old_object(const void* object) {
  if (object != nullptr) besom::detail::note_old_object(object);
}

void besom_note_kept_object(const void* object) {
  if (object == nullptr) return;
  besom::detail::note_weak_read(besom::detail::arena_of(object), besom::detail::index_of(object));
}

void besom_note_read_slot(const void* slot) {
  if (slot != nullptr) besom::note_read(slot);
}

void besom_prepare_read_slot(const void* slot) {
  if (slot != nullptr) besom::prepare_read(slot);
}

void besom_note_old_slots(const void* first, size_t bytes) {
  if (bytes == sizeof(besom_ref)) {
    besom::detail::note_old_slot(first);
  } else {
    besom::detail::note_old_slots(first, bytes);
  }
}

besom_status besom_forbid_collections(besom_heap* heap) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->forbid_collections());
}

besom_status besom_allow_collections(besom_heap* heap) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->allow_collections());
}

besom_status besom_add_external(besom_heap* heap, uint64_t bytes) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->add_external(bytes));
}

besom_status besom_remove_external(besom_heap* heap, uint64_t bytes) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->remove_external(bytes));
}

const char* besom_cause_name(besom_cause cause) {
  return besom::name_of(enum_of(number_of(cause), besom::Cause::zeal));
}

void besom_last_collection(const besom_heap* heap, besom_collection* collection) {
  if (collection == nullptr) return;
  if (heap == nullptr) {
    *collection = {};
    return;
  }
  *collection = std::bit_cast<besom_collection>(heap->heap->last_collection());
}

void besom_get_stats(const besom_heap* heap, besom_stats* stats) {
  if (stats == nullptr) return;
  if (heap == nullptr) {
    *stats = {};
    return;
  }
  *stats = std::bit_cast<besom_stats>(heap->heap->stats());
}

void besom_get_stops(const besom_heap* heap, besom_stop kind, besom_stop_stats* stops) {
  if (stops == nullptr) return;
  const bool is_known = static_cast<std::uint32_t>(kind) <= BESOM_STOP_END;
  if (heap == nullptr || !is_known) {
    *stops = {};
    return;
  }
  *stops = std::bit_cast<besom_stop_stats>(heap->heap->stops(static_cast<StopKind>(kind)));
}

void besom_get_utilisation(const besom_heap* heap, besom_utilisation* utilisation) {
  if (utilisation == nullptr) return;
  const Utilisation found = heap == nullptr ? Utilisation{} : heap->heap->utilisation();
  *utilisation = std::bit_cast<besom_utilisation>(found);
}

besom_status besom_set_listener(besom_heap* heap, besom_listener listener, void* user) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  const Error error = heap->heap->set_listener(listener != nullptr ? listen : nullptr, heap);
  if (!error) {
    heap->listener = listener;
    heap->listener_user = user;
  }
  return give(heap, error);
}
