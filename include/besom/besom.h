#pragma once

/// @file
/// Besom's C interface: all that besom.hpp offers, for C99 and later and for everything that can
/// call C. docs/embedding.md leads from nothing to a collected interpreter.
///
/// - A heap belongs to one thread at a time. Objects never move. Any `void*` called object is the
///   address of one, or NULL; a `besom_ref` is the same in 4 bytes.
/// - Functions that can fail return a besom_status, or NULL, and leave the heap as it was;
///   besom_last_error() has the figures. What the C++ interface answers by an abort aborts here,
///   too, with both operands in the message: where that is so, it is said.
/// - No pointer may be NULL unless it is said. Where one is, a function that returns a status
///   returns BESOM_BAD_ARGUMENT, or BESOM_BAD_REF for an object or table, one that returns a
///   pointer NULL, one that returns a value 0, and all others do nothing, or fill with zeros what
///   they are to fill. The inline functions too.
/// - Strings given in as `label` have to be static, or NULL for none; all others are copied.
///   Strings given out are static or live as long as the heap, unless it is said that they end with
///   a callback's call.
/// - Callbacks get the `user` pointer they were registered with, which may be anything. They may
///   not call into the heap, unless it is said. One may leave by longjmp: see besom_recover(). No
///   C++ exception may.
/// - Once something was freed, the pointer must not be used again, as with any free(). What goes
/// with
///   its heap is stale instead: see besom_heap_destroy().

#if __SIZEOF_POINTER__ != 8
#error "Besom takes a 64-bit machine"
#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "besom/detail/export.h"  // preprocessor alone, C as well as C++
#include "besom/version.h"        // BESOM_VERSION, likewise

#ifdef __cplusplus
extern "C" {
#endif

typedef struct besom_heap besom_heap;                  ///< Owns all its objects.
typedef struct besom_handle besom_handle;              ///< An owned root.
typedef struct besom_weak besom_weak;                  ///< A handle that keeps nothing alive.
typedef struct besom_guardian besom_guardian;          ///< Hands out objects that were found dead.
typedef struct besom_registration besom_registration;  ///< Of roots or of a mark hook.
typedef struct besom_fiber besom_fiber;                ///< A stack beside the thread's own.
typedef struct besom_tracer besom_tracer;        ///< Good during the call that it is given to.
typedef struct besom_mark_view besom_mark_view;  ///< Likewise.

/// A reference: byte index of an object from the arena's base, a multiple of 16; 0 is null.
typedef uint32_t besom_ref;
/// A ref, or a 31-bit integer, which is odd.
typedef uint32_t besom_value;
/// Names a type within one heap: the first that is defined there is 1, the next 2, and so on, so
/// that a table by type is an array. A definition that fails takes no number, and types stay as
/// long as the heap. 0 is no type.
typedef uint32_t besom_type;

// ---- errors ------------------------------------------------------------------------------------

/// What can fail. Each function's comment says which of these it fails with.
typedef enum besom_status {
  BESOM_OK,
  BESOM_RESERVE_FAILED,      ///< The system refused address space; nothing was created.
  BESOM_COMMIT_FAILED,       ///< The system refused memory while growing; a later try may succeed.
  BESOM_HEAP_LIMIT,          ///< heap_max is full of live objects.
  BESOM_OBJECT_TOO_LARGE,    ///< No heap of these options could hold the object: see `limit`.
  BESOM_OUT_OF_HOST_MEMORY,  ///< malloc or a side table's mapping failed.
  BESOM_BAD_REF,             ///< Not the start of a live object, or of another type.
  BESOM_BAD_TYPE,            ///< A descriptor that contradicts itself, or an id of no type here.
  BESOM_BAD_OPTION,          ///< A setting that makes no sense; `detail` names it.
  BESOM_STALE_HANDLE,        ///< Used after its scope, after release, or after its heap.
  BESOM_WRONG_HEAP,          ///< An object or handle of another heap.
  BESOM_WRONG_THREAD,        ///< A second thread uses the heap.
  BESOM_REENTRANT,           ///< Called from inside a collection.
  BESOM_UNBALANCED,          ///< More was given back than had been taken.
  BESOM_NO_COLLECT,          ///< Collections are forbidden.
  BESOM_ABANDONED,           ///< A callback gave the collection up; nothing was freed.
  BESOM_WRITE_FAILED,        ///< A sink, or the system for a file, did not take what was written.
  BESOM_BAD_ARGUMENT         ///< A NULL where something is needed; `detail` names it.
} besom_status;

/// What failed, with the figures that a message needs. Unused figures are 0.
typedef struct besom_error {
  besom_status code;   ///< BESOM_OK: nothing failed.
  int system_errno;    ///< errno of the refused system call.
  uint64_t bytes;      ///< Bytes asked for; of what is wrong, not too much: the number that it is.
  uint64_t limit;      ///< The limit that was met, or what the number is held against.
  const char* detail;  ///< Static text, or NULL.
  uint64_t used;       ///< Bytes in objects when a heap was full.
  /// What the caller's own text called the thing, such as a key that no setting has; "" where there
  /// is no such text. A longer name is cut and ends in "...". Bytes that do not print are '?'.
  char name[24];
} besom_error;

/// Name of the code without its prefix, in lower case: "heap_limit".
BESOM_API const char* besom_status_name(besom_status code);
/// Writes one line without newline, cut to `size` bytes with the zero; e.g. "heap_limit: 32 bytes
/// needed, 67108848 of 67108864 bytes in use (heap_max)". Returns the length of the whole line, as
/// snprintf. `buffer` may be NULL where that is all that is wanted.
BESOM_API size_t besom_error_message(const besom_error* error, char* buffer, size_t size);
/// What failed last in this heap; code BESOM_OK before anything did. Changes with the next failure.
/// Of NULL, an error that says so.
BESOM_API const besom_error* besom_last_error(const besom_heap* heap);
/// Version of the library in use: "0.2.0".
BESOM_API const char* besom_version(void);

// ---- options -----------------------------------------------------------------------------------

/// How much a line matters, the least first. No line has BESOM_LOG_OFF.
typedef enum besom_log_level {
  BESOM_LOG_TRACE,
  BESOM_LOG_DEBUG,
  BESOM_LOG_INFO,
  BESOM_LOG_WARN,
  BESOM_LOG_ERROR,
  BESOM_LOG_OFF
} besom_log_level;
/// Receives a line without newline, good during the call.
typedef void (*besom_log_write)(void* user, besom_log_level level, const char* line);

/// The system calls that the heap makes for memory. Each behaves like the call of its name: NULL or
/// -1 for failure, with errno set. Addresses and sizes are multiples of the page. The first five
/// are required. Zero what is not used.
typedef struct besom_system {
  /// Inaccessible address space, at `hint` exactly; anywhere where that is NULL.
  void* (*reserve)(void* hint, size_t bytes);
  void* (*map)(size_t bytes);  ///< Zeroed memory.
  /// Of what reserve() or map() gave, all or the first or last part.
  int (*unmap)(void* address, size_t bytes);
  int (*commit)(void* address, size_t bytes);  ///< Makes reserved memory accessible.
  /// Reads as zeros afterwards. Only of what was mapped or committed.
  int (*discard)(void* address, size_t bytes);
  int (*advise_huge)(void* address, size_t bytes);             ///< May fail, may be NULL.
  int (*name)(void* address, size_t bytes, const char* name);  ///< May fail, may be NULL.
  /// Asks for ordinary pages, so that a huge one that was given back in part is not filled up by
  /// the system; advise_huge() takes it back. May fail, may be NULL.
  int (*advise_small)(void* address, size_t bytes);
  /// A power of two from 4 KiB to 2 MiB; 0: 64 KiB, a multiple of any machine's page.
  size_t page_bytes;
} besom_system;

/// Asked when an allocation is about to be refused for want of memory, with the error that it would
/// have: after a full collection, outside of any, on the heap's thread. Everything may be done that
/// the program may do between two calls: drop roots, run finalizers, take external bytes away,
/// collect, write a snapshot, allocate what still fits; references need roots as at any allocation.
/// An allocation that is refused meanwhile asks nobody. True: collect once more and try again. May
/// leave by longjmp: then besom_recover() is due where it lands. May not destroy the heap.
typedef bool (*besom_near_limit)(void* user, besom_heap* heap, const besom_error* refusal);

/// Room for the name of a file with its zero.
#define BESOM_FILE_NAME 512

/// All sizes in bytes. Filled by besom_options_init(), then changed.
typedef struct besom_options {
  size_t struct_bytes;        ///< sizeof of this struct, as the program was compiled.
  uint64_t heap_initial;      ///< Used before the first collection; 0: 1 MiB.
  uint64_t heap_max;          ///< The arena never grows beyond; 64 KiB to 4 GiB, the default.
  uint64_t reserve;           ///< Address space to reserve; 0: 8 GiB.
  double growth;              ///< The heap may reach this times what is live; 0: all of heap_max.
  bool generational;          ///< Collects the young alone mostly. Takes besom_note_overwrite().
  bool incremental;           ///< Marks in slices. Takes besom_note_overwrite(), besom_note_read().
  bool safepoints;            ///< Collects at besom_safepoint() and besom_collect() alone.
  bool zeal_verify;           ///< Walks the whole heap before and after each collection.
  bool zeal_poison;           ///< Overwrites freed memory; under ASan makes it inaccessible.
  uint32_t zeal_every;        ///< Collects at every Nth allocation; 0: off.
  uint64_t zeal_quarantine;   ///< Holds back as many bytes that were freed last; 0: none.
  uint32_t slice;             ///< Of an incremental heap: units of work, 1 to 2^30; 1000.
  uint32_t mark_stack;        ///< Entries of the mark stack; 0: sized by the heap.
  uint64_t hash_seed;         ///< Of the keys of tables; 0: random. Decides the order of visits.
  besom_log_level log;        ///< Least level that reaches the sink.
  besom_log_write log_write;  ///< NULL: lines go to spdlog, if built with it.
  void* log_user;             ///< Passed to `log_write`.
  /// BESOM_OPTIONS overrides what is set here, but not in a program with more rights than its user.
  bool read_environment;
  const besom_system* system;  ///< NULL: the operating system itself. To live as long as the heap.
  /// NULL: nobody is asked. Nor is anybody where allocation may not collect.
  besom_near_limit near_limit;
  void* near_limit_user;  ///< Passed to `near_limit`.

  // What the heap writes down about itself: docs/debugging.md. Names of files, cut by the first
  // zero; "" for none. Of two heaps of a process that are given one name at a time the second
  // writes NAME.2, before an extension. The child of a fork writes nothing.

  char trace[BESOM_FILE_NAME];  ///< Each stop and collection, as trace events for Perfetto.
  /// A heap snapshot, before an allocation is refused for want of memory the first time.
  char snapshot_at_limit[BESOM_FILE_NAME];
  char record[BESOM_FILE_NAME];  ///< What a report of the run needs: docs/record-format.md.
  /// A table of all statistics when the heap ends: to standard error, or line by line to
  /// `log_write` where that is set, whatever `log` says.
  bool stats_at_exit;
  /// Where the objects were allocated that lived after the fullest collection, written when the
  /// heap ends, for Chrome's DevTools, to which such a file is a `.heapprofile`. Samples one
  /// allocation in 512 KiB unless `sample_bytes` is set.
  char allocation_profile[BESOM_FILE_NAME];
  /// One in so many bytes allocated is sampled, on the average: from 4 KiB to 1 TiB. Deterministic,
  /// but allocation and collections take other places than without. 0: none, which costs nothing.
  /// besom_set_site_namer() gives the places names.
  uint64_t sample_bytes;
} besom_options;

/// Sets all of them to the defaults, and struct_bytes.
BESOM_API void besom_options_init(besom_options* options);
/// Sets what `text` says: "key=value" pairs separated by commas, the keys heap_initial, heap_max,
/// reserve, growth, generational, incremental, slice, safepoints, zeal, mark_stack, hash_seed, log,
/// trace, snapshot_at_limit, record, stats, allocation_profile, sample_bytes; of one key twice, the
/// last counts. Sizes take K, M, G; growth is "fixed" or a decimal factor above 1, at most 1000;
/// trace, snapshot_at_limit, record and allocation_profile take the name of a file, without a
/// comma, or nothing; stats is "exit" or "off"; zeal "off" or a sum of alloc:N, verify, poison,
/// quarantine:SIZE, where alloc:N alone means all four. Fails with bad_option and changes nothing;
/// the error's `name` is the unknown key, the value, or what is no pair. `error` may be NULL.
BESOM_API besom_status besom_options_parse(besom_options* options, const char* text,
                                           besom_error* error);
/// BESOM_BAD_OPTION when they contradict themselves. `error` may be NULL.
BESOM_API besom_status besom_options_check(const besom_options* options, besom_error* error);

// ---- heaps -------------------------------------------------------------------------------------

/// `options` may be NULL: the defaults; `error` may be NULL. Fails with bad_option (also where
/// struct_bytes is not this library's), reserve_failed, commit_failed, out_of_host_memory, and
/// write_failed where a file of the options cannot be made; then `*heap` is NULL.
BESOM_API besom_status besom_heap_create(const besom_options* options, besom_heap** heap,
                                         besom_error* error);
/// Frees everything, after the release hooks: handles, weak handles, guardians, fibers and
/// registrations, too. Those become stale: to free them is not needed, and harmless on any thread.
/// Finalizers are not run. NULL is fine. Aborts during a collection or inside a finalizer, and on
/// another thread while handles are held.
BESOM_API void besom_heap_destroy(besom_heap* heap);
/// Drops all roots, registrations and objects, after release hooks; types, guardians and external
/// bytes stay. Handles become stale. Restores service after the arena was damaged. Fails with
/// reentrant, also inside a finalizer, and wrong_thread.
BESOM_API besom_status besom_reset(besom_heap* heap);
/// The calling thread takes the heap over; the other has to have stopped. Fails with reentrant.
BESOM_API besom_status besom_attach_thread(besom_heap* heap);
/// To be called where a longjmp lands that may have left a callback of this heap: the collection
/// is abandoned, or done if only its report was missing. A finalizer that was left counts as run;
/// where the jump landed inside of it, it goes on. Else does nothing. Fails with wrong_thread.
/// Aborts the collection when a callback calls it and returns.
BESOM_API besom_status besom_recover(besom_heap* heap);
/// The options in force, the environment's included.
BESOM_API void besom_heap_options(const besom_heap* heap, besom_options* options);

// ---- objects and types -------------------------------------------------------------------------

/// What every object begins with.
typedef struct besom_header {
  besom_type type;  ///< As it was allocated. The heap's to set.
  /// Elements of a trailing array, as they were allocated. A program may lower it, and raise it
  /// again up to that. In a type without such an array it is the program's own: nobody reads it,
  /// and it begins as what allocation was given.
  uint32_t length;
} besom_header;

/// What a slot of an object holds.
typedef enum besom_slot_kind {
  BESOM_SLOT_REF,      ///< Four bytes: a besom_ref.
  BESOM_SLOT_VALUE,    ///< Four bytes: a besom_value.
  BESOM_SLOT_WEAK,     ///< A value that keeps nothing alive: null once its target was found dead.
  BESOM_SLOT_POINTER,  ///< Eight bytes, 8-aligned: as besom_visit_pointer().
  BESOM_SLOT_BOX       ///< Eight bytes, 8-aligned: a ref where besom_descriptor::box says so.
} besom_slot_kind;

/// What a box has where it is a ref.
typedef enum besom_box_payload {
  BESOM_BOX_INDEX,   ///< The index of an object, as a besom_ref has it; 0 is null.
  BESOM_BOX_ADDRESS  ///< The address of an object; what lies outside of the arena is the host's.
} besom_box_payload;
/// How a language's 64-bit words tell refs from numbers and everything else: NaN boxes, or tags in
/// the high bits. A word is a ref if its bits in `mask` are `tag`. Of such a word, shifted right by
/// `shift`, bits 4 to 31 are the index, or 4 to 47 the address; all others may be anything.
typedef struct besom_box_format {
  uint64_t mask;  ///< Not 0, and none of the bits of the index, or 4 to 46 of the address.
  uint64_t tag;   ///< Only bits that are in `mask`.
  /// -4, where the word has the index divided by 16, to 32; for an address to 16.
  int32_t shift;
  besom_box_payload payload;  ///< What a ref's payload is.
} besom_box_format;

/// What follows the fixed part of an object, besom_header::length times.
typedef enum besom_trailing {
  BESOM_TRAILING_NONE,
  BESOM_TRAILING_REFS,
  BESOM_TRAILING_VALUES,
  BESOM_TRAILING_BYTES,
  BESOM_TRAILING_POINTERS,
  BESOM_TRAILING_BOXES,       ///< Slots of eight bytes as besom_descriptor::box has them.
  BESOM_TRAILING_WEAK,        ///< Weak slots.
  BESOM_TRAILING_EPHEMERONS,  ///< besom_entry: the value is kept while the key is, by others.
  BESOM_TRAILING_WEAK_VALUES  ///< besom_entry: a kept key and a weak value.
} besom_trailing;

/// A slot in the fixed part of an object.
typedef struct besom_field {
  const char* name;  ///< For reports.
  uint64_t offset;   ///< From the start of the object, header included; aligned to the slot's size.
  besom_slot_kind kind;  ///< What the slot holds.
} besom_field;

/// Visits what an object refers to; `size_bytes` is its extent from the heap's own tables. Trusted
/// code. It may read its object, header included, up to `size_bytes`; memory of the host; and the
/// fields of objects that it visits. It must not read another object's header or an ephemeron's
/// key, which may hold something of the collector's meanwhile.
typedef void (*besom_trace)(void* user, const void* object, uint32_t size_bytes,
                            besom_tracer* tracer);
/// Called when an object of the type is about to be swept, once, and for those left at reset or
/// destruction: for what it holds in the host. May read and write this object alone. Must return:
/// no longjmp.
typedef void (*besom_release)(void* user, void* object, uint32_t size_bytes);

/// A type as data. Zero what is not used.
typedef struct besom_descriptor {
  const char* name;           ///< For reports; several types may have the same.
  uint64_t size;              ///< Of the fixed part in bytes, header included.
  const besom_field* fields;  ///< Only those that the collector has to see.
  uint64_t field_count;       ///< Of `fields`.
  besom_trailing trailing;    ///< What follows the fixed part.
  besom_trace trace;          ///< Replaces `fields` and a `trailing` other than bytes. May be NULL.
  void* trace_user;           ///< Passed to `trace`.
  besom_release release;      ///< May be NULL.
  void* release_user;         ///< Passed to `release`.
  besom_box_format box;       ///< Of all slots of the object that are boxes.
} besom_descriptor;

/// Copies the descriptor. Fails with bad_type, out_of_host_memory, reentrant and wrong_thread.
BESOM_API besom_status besom_define(besom_heap* heap, const besom_descriptor* descriptor,
                                    besom_type* type);
/// The type's descriptor; its first `capacity` fields go to `fields`, which the descriptor then
/// points to, and which may be NULL where `capacity` is 0. Names live as long as the heap. Fails
/// with bad_type.
BESOM_API besom_status besom_describe(besom_heap* heap, besom_type type,
                                      besom_descriptor* descriptor, besom_field* fields,
                                      uint64_t capacity);

/// A new object, all zero but for its header; NULL when that fails, with bad_type,
/// object_too_large, heap_limit, commit_failed, out_of_host_memory, reentrant or wrong_thread.
/// `length`: elements of the trailing array, or what the header is to have; where heap_max or a
/// header's 32 bits do not hold as many, object_too_large, before anything is collected. Until the
/// next allocation, or until a handle or local has it, the new object is safe without a root. May
/// collect. Before heap_limit and commit_failed there is always a full collection that found no
/// room, where one is allowed. As long as nothing was allocated and nothing dropped since, what
/// does not fit is refused without another. A store that besom_note_store() is not told of may have
/// dropped something unseen: call besom_collect() then; in any case every 32nd refusal collects,
/// later every 64th, and so on.
BESOM_API void* besom_allocate(besom_heap* heap, besom_type type, uint64_t length);

/// The object of a ref that is known to be good, or NULL. Unchecked.
BESOM_API void* besom_get(const besom_heap* heap, besom_ref ref);
/// The object of a ref that may be anything: bad_ref unless an object of `type` (0: any) starts
/// there; wrong_thread. `object` may be NULL. O(1).
BESOM_API besom_status besom_check(besom_heap* heap, besom_ref ref, besom_type type, void** object);
/// Whether `address`, which may be NULL, lies in this heap's arena.
BESOM_API bool besom_contains(const besom_heap* heap, const void* address);
/// The object that the address, which may be NULL, points to or into, or NULL; also on another
/// thread. O(1).
BESOM_API void* besom_object_start(besom_heap* heap, const void* address);

/// The ref of an object or of NULL.
static inline besom_ref besom_ref_of(const void* object) { return (besom_ref)(uintptr_t)object; }
/// What a slot of 4 bytes in an object refers to, or NULL; the slot's own address has the base.
static inline void* besom_follow(const besom_ref* slot) {
  return slot == NULL || *slot == 0 ? NULL
                                    : (void*)(((uintptr_t)slot & ~(uintptr_t)0xffffffff) + *slot);
}
/// Aborts, and names `i`, which is no 31-bit integer.
BESOM_API void besom_integer_failed(int64_t i) __attribute__((noreturn));
/// `i` lies in [-2^30, 2^30); aborts outside.
static inline besom_value besom_integer(int64_t i) {
  if (i < -(1 << 30) || i >= 1 << 30) besom_integer_failed(i);
  return ((besom_value)i << 1) | 1;
}
/// Else it is a ref, or null.
static inline bool besom_is_integer(besom_value value) { return (value & 1) != 0; }
/// The value has to be an integer.
static inline int32_t besom_as_integer(besom_value value) { return (int32_t)value >> 1; }

// ---- the write barrier -------------------------------------------------------------------------

/// One card is for 512 bytes of the arena.
#define BESOM_CARD_SHIFT 9
/// The cards lie so far below the arena, whatever the machine's page is.
#define BESOM_CARD_PAGE 4096
/// How many cards record stores, for each 4 GiB of the address space. The heaps' to set.
extern BESOM_API uint32_t besom_recorded_cards[1 << 16];

/// The byte below the arena that holds `slot`, which says what a store there has to do: bit 0, mark
/// its card; bit 1, hand over what it overwrites.
#define BESOM_BARRIER_AT(slot) \
  (*(const unsigned char*)(((uintptr_t)(slot) & ~(uintptr_t)0xffffffff) - 1))
/// What overwriting these slots takes away is kept until the cycle that marks now has ended. For
/// the functions below alone.
BESOM_API void besom_note_old_slots(const void* first, size_t bytes);
/// Likewise what the object refers to.
BESOM_API void besom_note_old_object(const void* object);
/// Likewise the object itself.
BESOM_API void besom_note_kept_object(const void* object);
/// Likewise what was read from this slot.
BESOM_API void besom_note_read_slot(const void* slot);
/// What the library does before it reads a weak slot, or either slot of an entry. Null from now on
/// where the end of a cycle has found the target dead, and the entry broken.
BESOM_API void besom_prepare_read_slot(const void* slot);

/// To be called before each store of refs or pointers into an object that is not the newest, with
/// the place and its `bytes`, in a heap that is `generational` or `incremental`; for more than 512
/// bytes once for each 512. In others it does nothing, but for the time after a refused allocation:
/// see besom_allocate(). Nor does it where the slot lies in no heap, such as a variable of the
/// host's. Inline: a load and a branch.
static inline void besom_note_overwrite(const void* slot, size_t bytes) {
  const uint32_t card = (uint32_t)(uintptr_t)slot >> BESOM_CARD_SHIFT;
  if (card < besom_recorded_cards[(uint16_t)((uintptr_t)slot >> 32)]) {
    char* const arena = (char*)((uintptr_t)slot & ~(uintptr_t)0xffffffff);
    const unsigned barrier = BESOM_BARRIER_AT(slot);
    if ((barrier & 1) != 0) arena[-1 - BESOM_CARD_PAGE - (ptrdiff_t)card] = 1;
    if ((barrier & 2) != 0) besom_note_old_slots(slot, bytes);
  }
}
/// To be called after a ref or value was read from a weak slot, or from either slot of an entry,
/// and before it is stored or rooted, in a heap that is `incremental`: what such a slot alone led
/// to lives on then. To copy it is to read it.
static inline void besom_note_read(const void* slot) {
  const uint32_t card = (uint32_t)(uintptr_t)slot >> BESOM_CARD_SHIFT;
  if (card < besom_recorded_cards[(uint16_t)((uintptr_t)slot >> 32)]) {
    if ((BESOM_BARRIER_AT(slot) & 2) != 0) besom_note_read_slot(slot);
  }
}
/// To be called before a weak slot is read, in place of besom_note_read(): of all weak slots that
/// lead to the same object then either all give it or none.
static inline void besom_prepare_read(const void* slot) {
  const uint32_t card = (uint32_t)(uintptr_t)slot >> BESOM_CARD_SHIFT;
  if (card < besom_recorded_cards[(uint16_t)((uintptr_t)slot >> 32)]) {
    if ((BESOM_BARRIER_AT(slot) & 2) != 0) besom_prepare_read_slot(slot);
  }
}
/// To be called when an object is taken out of a weak structure of the program's own, such as a
/// cache that a mark hook clears, or the release hooks of what is in it: before the object is
/// stored or rooted, as besom_note_read().
static inline void besom_note_kept(const void* object) {
  const uint32_t card = (uint32_t)(uintptr_t)object >> BESOM_CARD_SHIFT;
  if (card < besom_recorded_cards[(uint16_t)((uintptr_t)object >> 32)]) {
    if ((BESOM_BARRIER_AT(object) & 2) != 0) besom_note_kept_object(object);
  }
}
/// As besom_note_overwrite() for all that `object` refers to: before its header changes, and before
/// something changes outside of the heap to which its trace callback leads. O(what it refers to)
/// while a cycle marks.
static inline void besom_note_overwrite_object(const void* object) {
  const uint32_t card = (uint32_t)(uintptr_t)object >> BESOM_CARD_SHIFT;
  if (card < besom_recorded_cards[(uint16_t)((uintptr_t)object >> 32)]) {
    char* const arena = (char*)((uintptr_t)object & ~(uintptr_t)0xffffffff);
    const unsigned barrier = BESOM_BARRIER_AT(object);
    if ((barrier & 1) != 0) arena[-1 - BESOM_CARD_PAGE - (ptrdiff_t)card] = 1;
    if ((barrier & 2) != 0) besom_note_old_object(object);
  }
}
/// As besom_note_overwrite() for a generational heap, but after the store. It does nothing for an
/// incremental one.
static inline void besom_note_store(const void* slot) {
  const uint32_t card = (uint32_t)(uintptr_t)slot >> BESOM_CARD_SHIFT;
  if (card < besom_recorded_cards[(uint16_t)((uintptr_t)slot >> 32)]) {
    char* const arena = (char*)((uintptr_t)slot & ~(uintptr_t)0xffffffff);
    if ((BESOM_BARRIER_AT(slot) & 1) != 0) arena[-1 - BESOM_CARD_PAGE - (ptrdiff_t)card] = 1;
  }
}
/// Stores the object's ref, or null, into a slot of 4 bytes.
static inline void besom_store_ref(besom_ref* slot, const void* object) {
  if (slot == NULL) return;
  besom_note_overwrite(slot, sizeof *slot);
  *slot = besom_ref_of(object);
}
/// Stores a value into a slot of 4 bytes.
static inline void besom_store_value(besom_value* slot, besom_value value) {
  if (slot == NULL) return;
  besom_note_overwrite(slot, sizeof *slot);
  *slot = value;
}
/// Stores a raw pointer, or NULL, into a slot of 8 bytes.
static inline void besom_store_pointer(void** slot, void* pointer) {
  if (slot == NULL) return;
  besom_note_overwrite(slot, sizeof *slot);
  *slot = pointer;
}

/// Stores a box, whatever it holds, into a slot of 8 bytes.
static inline void besom_store_box(uint64_t* slot, uint64_t word) {
  if (slot == NULL) return;
  besom_note_overwrite(slot, sizeof *slot);
  *slot = word;
}

// ---- inline allocation -------------------------------------------------------------------------

/// What code needs to allocate objects of one size in one heap without a call: docs/contract.md.
typedef struct besom_contract {
  void* base;  ///< Good as long as the heap.
  /// @{
  /// Bytes from `base` to what docs/contract.md says of it.
  uint32_t cursor_offset;
  uint32_t limit_offset;
  uint32_t newest_offset;
  /// @}
  uint32_t object_bytes;  ///< Rounded up to 16; 0 where such objects are not allocated inline.
} besom_contract;

/// For objects of `size_bytes`, header included. From then on such objects have memory of their own
/// to be allocated inline in: ask for sizes that code is generated for, and for no others.
BESOM_API besom_contract besom_allocation_contract(besom_heap* heap, uint64_t size_bytes);

/// The contract in C: a new object, all zero, or NULL: then call besom_allocate(). Not for types
/// with a release hook. `type` with `length` elements has the contract's size.
static inline void* besom_allocate_inline(const besom_contract* contract, besom_type type,
                                          uint64_t length) {
  char* base;
  char** cursor;
  char* object;
  char* limit;
  uint64_t* word;
  if (contract == NULL || contract->object_bytes == 0 || length > UINT32_MAX) return NULL;
  base = (char*)contract->base;
  cursor = (char**)(void*)(base + contract->cursor_offset);
  object = *cursor;
  limit = *(char**)(void*)(base + contract->limit_offset);
  if ((uintptr_t)limit - (uintptr_t)object < contract->object_bytes) return NULL;
  *cursor = object + contract->object_bytes;
  for (word = (uint64_t*)(void*)object; word != (uint64_t*)(void*)*cursor; ++word) *word = 0;
  ((besom_header*)(void*)object)->type = type;
  ((besom_header*)(void*)object)->length = (uint32_t)length;
  *(besom_ref*)(void*)(base + contract->newest_offset) = besom_ref_of(object);
  return object;
}

// ---- collecting --------------------------------------------------------------------------------

/// Collects now, all of the heap; inside a finalizer, when that has returned. Fails with reentrant,
/// wrong_thread, no_collect and abandoned.
BESOM_API besom_status besom_collect(besom_heap* heap);
/// Each minor collection looks at all that `object` refers to, as if besom_note_store() had been
/// called for it; with false, no longer. For objects whose trace callback leads to memory of the
/// host, such as a fiber's stack, in which references are stored without a word to the heap. The
/// object is not kept by that, and when it dies it is forgotten. Costs each collection of a
/// generational heap O(number of such objects), and each minor one what it takes to visit them all;
/// each call O(their number). Nothing in a heap that is not generational: an incremental one has to
/// be told before that memory changes, by besom_note_overwrite_object(). Fails with bad_ref,
/// wrong_heap, reentrant, wrong_thread and out_of_host_memory.
BESOM_API besom_status besom_set_always_remembered(besom_heap* heap, const void* object,
                                                   bool remembered);
/// Collects if that is due: with besom_options::safepoints, nothing else does but besom_collect().
/// After a refused allocation a full collection is due. Fails with reentrant, wrong_thread and
/// abandoned.
BESOM_API besom_status besom_safepoint(besom_heap* heap);
/// In an incremental heap, works on the cycle that is under way, some `units` of it, and begins one
/// where none is. All that is to stay has to be rooted here. A unit is an object or slot visited,
/// some ten nanoseconds. `left`, which may be NULL, receives about how many are left; 0 when the
/// cycle has ended, or nothing was allocated since the last. Fails with bad_option where the heap
/// is not incremental, with no_collect, reentrant, wrong_thread and abandoned.
BESOM_API besom_status besom_step_cycle(besom_heap* heap, uint64_t units, uint64_t* left);
/// @{
/// No collection until besom_allow_collections() was called as often: allocation grows the heap
/// instead, up to heap_max. Fail with reentrant and wrong_thread, the second with unbalanced.
BESOM_API besom_status besom_forbid_collections(besom_heap* heap);
BESOM_API besom_status besom_allow_collections(besom_heap* heap);
/// @}
/// @{
/// Counts bytes that the program holds outside of the heap on behalf of objects; they bring the
/// next collection closer. May be called in callbacks. Fail with wrong_thread, the first with
/// heap_limit where the sum would pass 2^64, the second with unbalanced.
BESOM_API besom_status besom_add_external(besom_heap* heap, uint64_t bytes);
BESOM_API besom_status besom_remove_external(besom_heap* heap, uint64_t bytes);
/// @}

// ---- roots -------------------------------------------------------------------------------------

/// Roots `object`, or NULL, until besom_handle_free(). NULL when that fails: out_of_host_memory,
/// wrong_heap, bad_ref where no object starts at that address, reentrant, wrong_thread.
BESOM_API besom_handle* besom_handle_new(besom_heap* heap, void* object, const char* label);
/// Aborts during a collection and on another thread. NULL and stale handles are fine.
BESOM_API void besom_handle_free(besom_handle* handle);
/// The object, or NULL; also of NULL. Aborts when stale.
BESOM_API void* besom_handle_get(const besom_handle* handle);
/// For those who do not trust the handle: stale_handle, or wrong_heap when it roots in another heap
/// than `heap`. `object` may be NULL.
BESOM_API besom_status besom_handle_check(const besom_handle* handle, besom_heap* heap,
                                          void** object);
/// Roots another object of the same heap, or NULL, instead. Fails with stale_handle, wrong_heap,
/// bad_ref, reentrant and wrong_thread.
BESOM_API besom_status besom_handle_set(besom_handle* handle, void* object);

/// A root on the heap's shadow stack, as plain data; its members are the heap's.
typedef struct besom_local {
  /// @{
  /// The heap's.
  void* table;
  uint64_t place, serial;
  /// @}
} besom_local;
/// Where the shadow stack stands, as plain data; likewise.
typedef struct besom_mark {
  /// @{
  /// The heap's.
  const void* table;
  uint64_t serial, position;
  uint32_t open_scopes, forbidden;
  /// @}
} besom_mark;

/// Pushes a root, of NULL too, that lasts until locals are restored to an earlier mark. Fails with
/// out_of_host_memory, wrong_heap, bad_ref, reentrant and wrong_thread.
BESOM_API besom_status besom_local_push(besom_heap* heap, void* object, besom_local* local);
/// The object, or NULL. Aborts when stale. Not to be used after the heap was destroyed.
BESOM_API void* besom_local_get(const besom_local* local);
/// stale_handle, or wrong_heap. `object` may be NULL.
BESOM_API besom_status besom_local_check(const besom_local* local, besom_heap* heap, void** object);
/// Roots another object of the same heap, or NULL, instead. Fails with stale_handle, wrong_heap,
/// bad_ref, reentrant and wrong_thread.
BESOM_API besom_status besom_local_set(const besom_local* local, besom_heap* heap, void* object);
/// To be restored once. Fails with out_of_host_memory, reentrant and wrong_thread.
BESOM_API besom_status besom_locals_mark(besom_heap* heap, besom_mark* mark);
/// Pops all locals pushed since the mark, and allows collections that were forbidden since; also
/// after a longjmp. A finalizer that began since is over. Fails with stale_handle when this mark or
/// an earlier one was restored before, or it was made on another fiber, with wrong_heap, reentrant
/// (call besom_recover() first) and wrong_thread.
BESOM_API besom_status besom_locals_restore(besom_heap* heap, const besom_mark* mark);

/// What a heap knows of a fiber: a coroutine's or generator's stack. It has locals of its own. With
/// `stack`, the native stack in [stack, stack + bytes), which has to stay, is searched for roots as
/// by besom_scan_native_stack(): what of it was in use when it was left, or is, if the fiber runs.
/// Before it has run first, nothing keeps what it is given. With NULL and 0 it is not. NULL when
/// that fails, with out_of_host_memory, reentrant, wrong_thread, bad_option.
BESOM_API besom_fiber* besom_fiber_new(besom_heap* heap, const void* stack, size_t bytes);
/// Its locals become stale, and its stack is not looked at any more: for one that has ended as for
/// one that is dropped half-way. NULL is fine, and so is one of a heap that is gone. Aborts while
/// it runs, during a collection and on another thread.
BESOM_API void besom_fiber_free(besom_fiber* fiber);
/// Whether besom_switch_to() took control to it last.
BESOM_API bool besom_fiber_is_running(const besom_fiber* fiber);
/// Takes control to the fiber's native stack, by swapcontext() or its like, and returns when it has
/// come back.
typedef void (*besom_swap)(void* user);
/// `fiber` runs from now on, NULL: the thread itself, as `swap(user)` takes control there. Returns
/// when control has come back, which takes another besom_switch_to() with the fiber that calls
/// here; control that comes back without one aborts. Locals and marks are the running fiber's, all
/// else is the heap's. The registers that the caller uses are kept with its stack. Fails with
/// bad_option for what runs already, stale_handle, wrong_heap, reentrant and wrong_thread; then
/// nothing is called.
BESOM_API besom_status besom_switch_to(besom_heap* heap, besom_fiber* fiber, besom_swap swap,
                                       void* user);

/// Visits the program's own roots at each collection.
typedef void (*besom_roots)(void* user, besom_tracer* tracer);

/// These return NULL when they fail: out_of_host_memory, reentrant, wrong_thread, and bad_option
/// for what is larger than memory or not aligned.
BESOM_API besom_registration* besom_add_roots(besom_heap* heap, besom_roots callback, void* user,
                                              const char* label);
/// `count` slots of 4 bytes, refs or values, that the program keeps in place. NULL where there are
/// none.
BESOM_API besom_registration* besom_add_root_range(besom_heap* heap, uint32_t* slots,
                                                   uint64_t count, const char* label);
/// Each aligned word in [begin, end) is a root if it happens to be one. bad_option if end < begin.
/// Both may be NULL.
BESOM_API besom_registration* besom_add_ambiguous_range(besom_heap* heap, const void* begin,
                                                        const void* end, const char* label);
/// Every collection looks for roots in the registers and on the stack of the calling thread, up to
/// `base`, an address in the frame of a caller that holds none itself: __builtin_frame_address(0).
/// NULL: all of the stack. While registered the heap collects on this thread and below that frame
/// alone, or on a fiber, else it aborts. bad_option where `base` is no such address, or the caller
/// is on another stack than the thread's. Details: docs/contract.md.
BESOM_API besom_registration* besom_scan_native_stack(besom_heap* heap, const void* base);

/// Called in each collection when all that is reachable is marked, before anything is freed. May
/// read objects that are marked; weak slots and entries in them are not cleared yet.
typedef void (*besom_mark_hook)(void* user, const besom_mark_view* marks);
/// Several are called in the order in which they were added. NULL when that fails, as
/// besom_add_roots().
BESOM_API besom_registration* besom_add_mark_hook(besom_heap* heap, besom_mark_hook hook,
                                                  void* user, const char* label);
/// @{
/// Whether the object lives on; false for NULL and for what is no object of the heap.
BESOM_API bool besom_is_marked(const besom_mark_view* marks, const void* object);
BESOM_API bool besom_is_marked_ref(const besom_mark_view* marks, besom_ref ref);
/// @}
/// Whether this collection looks at the young alone: all old objects are marked then.
BESOM_API bool besom_is_minor(const besom_mark_view* marks);

/// Unregisters now. stale_handle when that was done, or the heap is gone or was reset; reentrant
/// and wrong_thread, and may then be called again.
BESOM_API besom_status besom_registration_remove(besom_registration* registration);
/// Unregisters and frees; NULL is fine. Aborts during a collection and on another thread.
BESOM_API void besom_registration_free(besom_registration* registration);

/// For trace and root callbacks. A slot of 4 bytes: a ref or value. Null and integers are passed
/// over.
BESOM_API void besom_visit(besom_tracer* tracer, besom_value value);
/// The address of an object; its four lowest bits are the program's, for tags. NULL and what lies
/// outside this heap's arena is passed over; where no object starts in it is a bad ref: counted and
/// not followed.
BESOM_API void besom_visit_pointer(besom_tracer* tracer, const void* pointer);
/// An address anywhere in an object; passed over where it lies in none or is NULL.
BESOM_API void besom_visit_interior(besom_tracer* tracer, const void* address);
/// Eight bytes that may be anything.
BESOM_API void besom_visit_word(besom_tracer* tracer, uint64_t word);
/// A word that is a ref where `format` says so, as a slot of that format. Nothing where the format
/// is one that besom_define() refuses.
BESOM_API void besom_visit_box(besom_tracer* tracer, uint64_t word, const besom_box_format* format);
/// Gives the collection up: nothing is freed, and besom_collect() returns `abandoned`.
BESOM_API void besom_abandon(besom_tracer* tracer);
/// Whether besom_abandon() was called.
BESOM_API bool besom_is_abandoned(const besom_tracer* tracer);

// ---- weak things -------------------------------------------------------------------------------

/// Refers to `object`, or NULL, and keeps nothing alive. Fails as besom_handle_new() does.
BESOM_API besom_weak* besom_weak_new(besom_heap* heap, void* object, const char* label);
/// Aborts during a collection and on another thread. NULL and stale handles are fine.
BESOM_API void besom_weak_free(besom_weak* weak);
/// The object, or NULL from the collection on that found it dead; also of NULL. Aborts when stale.
/// Safe until the next allocation, like a new object.
BESOM_API void* besom_weak_get(const besom_weak* weak);
/// stale_handle, or wrong_heap. `object` may be NULL.
BESOM_API besom_status besom_weak_check(const besom_weak* weak, besom_heap* heap, void** object);
/// To refer to another object of the same heap, or to none. Fails with stale_handle, wrong_heap,
/// reentrant and wrong_thread.
BESOM_API besom_status besom_weak_set(besom_weak* weak, void* object);

/// Ready-made types: a header, then what is said.
typedef enum besom_standard {
  BESOM_REF_ARRAY,         ///< besom_ref[length]
  BESOM_VALUE_ARRAY,       ///< besom_value[length]
  BESOM_BYTE_ARRAY,        ///< unsigned char[length]
  BESOM_WEAK_ARRAY,        ///< besom_value[length], weak
  BESOM_EPHEMERON_ARRAY,   ///< besom_entry[length]; entries of a BESOM_WEAK_KEY_TABLE
  BESOM_WEAK_VALUE_ARRAY,  ///< besom_entry[length]; entries of a BESOM_WEAK_VALUE_TABLE
  BESOM_WEAK_BOX,          ///< one weak besom_value
  BESOM_EPHEMERON,         ///< one besom_entry; its length is 1
  BESOM_WEAK_KEY_TABLE,    ///< opaque
  BESOM_WEAK_VALUE_TABLE   ///< opaque
} besom_standard;
/// Defines one in this heap. Fails as besom_define().
BESOM_API besom_status besom_define_standard(besom_heap* heap, besom_standard standard,
                                             besom_type* type);

/// A key with its value, either of which may be an integer. When the weak one dies the entry is
/// broken: key null, value integer 0. An entry never used is all zero. Store the key first.
typedef struct besom_entry {
  /// @{
  /// Which of the two is weak, the kind of the array says.
  besom_value key, value;
  /// @}
} besom_entry;
/// False for NULL.
static inline bool besom_entry_is_broken(const besom_entry* entry) {
  return entry != NULL && entry->key == 0 && entry->value != 0;
}

/// A BESOM_WEAK_BOX, or NULL; the target needs no root meanwhile.
BESOM_API void* besom_weak_box_new(besom_heap* heap, besom_type type, besom_value target);
/// Null once the target is dead.
static inline besom_value besom_weak_box_target(const void* box) {
  if (box == NULL) return 0;
  besom_prepare_read((const besom_value*)box + 2);
  return ((const besom_value*)box)[2];
}
/// A BESOM_EPHEMERON, or NULL; key and value need no root meanwhile.
BESOM_API void* besom_ephemeron_new(besom_heap* heap, besom_type type, besom_value key,
                                    besom_value value);
/// The entry in it, which counts as read. NULL for NULL.
static inline const besom_entry* besom_ephemeron_entry(const void* ephemeron) {
  const besom_entry* entry;
  if (ephemeron == NULL) return NULL;
  entry = (const besom_entry*)ephemeron + 1;
  besom_prepare_read(&entry->key);
  besom_prepare_read(&entry->value);
  return entry;
}

/// An empty hash table in the heap, whose `entries` are of an array type above; NULL when that
/// fails. Weak keys: an entry lives as long as its key does otherwise. Weak values: as long as its
/// value does otherwise. Keys are compared by identity. A full collection gives back what memory a
/// table has no use for any more.
BESOM_API void* besom_table_new(besom_heap* heap, besom_type table, besom_type entries);
/// Adds the key or changes its value. May collect; the table is to be reachable, key and value need
/// no root. Fails with bad_ref for a null key or where `table` is none of this heap, bad_type,
/// heap_limit, object_too_large, out_of_host_memory. Amortised O(1).
BESOM_API besom_status besom_table_put(besom_heap* heap, void* table, besom_value key,
                                       besom_value value);
/// The key's value, or 0; also where `table` is none.
BESOM_API besom_value besom_table_get(const besom_heap* heap, const void* table, besom_value key);
/// Tells a value that is null from none.
BESOM_API bool besom_table_contains(const besom_heap* heap, const void* table, besom_value key);
/// Whether the key was there.
BESOM_API bool besom_table_remove(besom_heap* heap, void* table, besom_value key);
/// Entries now: O(capacity).
BESOM_API uint32_t besom_table_size(const besom_heap* heap, const void* table);
/// Entries of its array: a power of two, or 0.
BESOM_API uint32_t besom_table_capacity(const besom_heap* heap, const void* table);
/// Called for each entry, in an order that follows besom_options::hash_seed. May call into the
/// heap, but not put.
typedef void (*besom_entry_visitor)(void* user, besom_value key, besom_value value);
/// Calls `visitor` for all entries, O(capacity).
BESOM_API void besom_table_each(const besom_heap* heap, const void* table,
                                besom_entry_visitor visitor, void* user);

// ---- finalizers --------------------------------------------------------------------------------

/// Called by besom_run_finalizers() with what was found dead, outside any collection, and with it
/// as a root. May call into the heap and store the agent anywhere. Locals that it pushes end with
/// it. May leave by longjmp: see besom_recover().
typedef void (*besom_finalizer)(void* user, besom_heap* heap, void* agent);
/// With a callback, besom_run_finalizers() empties its queue; with NULL, besom_guardian_next()
/// alone does. NULL when that fails, as besom_handle_new().
BESOM_API besom_guardian* besom_guardian_new(besom_heap* heap, besom_finalizer callback,
                                             void* user);
/// Drops all registrations. Aborts during a collection and on another thread. NULL is fine.
BESOM_API void besom_guardian_free(besom_guardian* guardian);
/// Watches `object` and hands out `agent`, or with NULL the object itself, once it was found dead;
/// once for each call. Among those ready together the highest priority comes first, then the
/// earliest call. Fails with bad_ref, wrong_heap, stale_handle, reentrant, wrong_thread and
/// out_of_host_memory.
BESOM_API besom_status besom_guard(besom_guardian* guardian, const void* object, const void* agent,
                                   int32_t priority);
/// The same, and hands out both, the object and its agent: once the object was found dead, both are
/// kept until then. For besom_guardian_next_both(); a callback gets the agent alone.
BESOM_API besom_status besom_guard_both(besom_guardian* guardian, const void* object,
                                        const void* agent, int32_t priority);
/// The next agent that is ready, or NULL in `*agent`. Safe like a new object. Fails with
/// stale_handle, reentrant and wrong_thread.
BESOM_API besom_status besom_guardian_next(besom_guardian* guardian, void** agent);
/// The same with its object in `*object`; NULL there for an agent that besom_guard() was given,
/// whose object is gone, or both NULL when none is ready. Both are safe until the next allocation.
BESOM_API besom_status besom_guardian_next_both(besom_guardian* guardian, void** object,
                                                void** agent);
/// Makes everything registered ready, dead or not. Fails likewise.
BESOM_API besom_status besom_guardian_make_all_ready(besom_guardian* guardian);
/// Registrations whose objects were not found dead.
BESOM_API uint64_t besom_guardian_pending(const besom_guardian* guardian);
/// Agents that besom_guardian_next() would give.
BESOM_API uint64_t besom_guardian_ready(const besom_guardian* guardian);
/// Calls the callbacks for what is ready now, at most `limit`. `*called`, or NULL, gets how many.
/// Fails with reentrant, also inside a finalizer, wrong_thread and out_of_host_memory.
BESOM_API besom_status besom_run_finalizers(besom_heap* heap, uint64_t limit, uint64_t* called);

// ---- inspection --------------------------------------------------------------------------------

/// An object as a walk over the heap meets it.
typedef struct besom_object {
  const void* object;     ///< Its start.
  besom_type type;        ///< 0 where the header is damaged.
  const char* type_name;  ///< "(damaged header)" then.
  uint32_t size_bytes;    ///< Header included, rounded up to 16.
} besom_object;
/// Called for each object. So for all visitors: they may read objects; they must return, and may
/// not call into the heap. Strings that they get end with the call.
typedef void (*besom_object_visitor)(void* user, const besom_object* object);
/// Every object in address order, dead ones that were not yet collected included. Fails with
/// reentrant and wrong_thread. O(heap).
BESOM_API besom_status besom_each_object(besom_heap* heap, besom_object_visitor visitor,
                                         void* user);

/// Called for each hole: `index` of its first byte.
typedef void (*besom_hole_visitor)(void* user, uint32_t index, uint32_t size_bytes);
/// Every stretch of the heap without objects, in address order, what allocation holds ready and
/// what zeal holds back included. Fails with reentrant and wrong_thread. O(heap).
BESOM_API besom_status besom_each_hole(besom_heap* heap, besom_hole_visitor visitor, void* user);

/// All objects of one type.
typedef struct besom_census_row {
  besom_type type;        ///< 0: of the objects whose header is damaged.
  const char* type_name;  ///< "(damaged header)" then.
  uint64_t objects;       ///< Also those that are dead and not yet collected.
  uint64_t bytes;         ///< Headers included, rounded up to 16.
} besom_census_row;
/// Called for each row.
typedef void (*besom_census_visitor)(void* user, const besom_census_row* row);
/// A row for each type that has objects, that with the most bytes first. Fails with reentrant,
/// wrong_thread and out_of_host_memory. O(heap).
BESOM_API besom_status besom_census(besom_heap* heap, besom_census_visitor visitor, void* user);

/// Where the program allocates, as the host names it. All zero to begin with.
typedef struct besom_site {
  const char* function;  ///< Copied, up to 63 bytes. May be NULL.
  const char* file;      ///< Likewise, up to 127 bytes, of a longer one the end.
  uint32_t line;         ///< From 1; 0: not known.
  uint32_t column;       ///< Likewise.
} besom_site;
/// Asked for each allocation that is sampled, on the heap's thread, when the object has just been
/// made: what is the program doing? Fills `site` with text that stays until the next call; false:
/// it does not know. Must return, may read objects and call besom_object_start(), and nothing else
/// of the heap.
typedef bool (*besom_site_namer)(void* user, besom_site* site);
/// `namer` is asked where the program is, at each allocation that is a sample: see
/// besom_options::sample_bytes. NULL: the addresses that besom_allocate() returns to are taken.
/// Fails with reentrant and wrong_thread.
BESOM_API besom_status besom_set_site_namer(besom_heap* heap, besom_site_namer namer, void* user);

/// A place in the program that allocates objects of one type, with what the samples of it say.
typedef struct besom_allocation_row {
  const char* function;      ///< As the host named it; else a symbol, or an address in `file`.
  const char* file;          ///< As the host named it; else the program's or library's. May be "".
  uint32_t line;             ///< 0: not known.
  uint32_t column;           ///< Likewise.
  besom_type type;           ///< Of the objects.
  const char* type_name;     ///< Its name.
  uint64_t samples;          ///< How many were taken.
  uint64_t allocated_bytes;  ///< About so many in all, also of objects that are dead.
  uint64_t live_samples;     ///< Alive at the last collection, or new since.
  uint64_t live_bytes;       ///< About so many are.
} besom_allocation_row;
/// Called for each row.
typedef void (*besom_allocation_visitor)(void* user, const besom_allocation_row* row);
/// Where objects were allocated, that with the most live bytes first. Fails with bad_option where
/// that is not sampled (besom_options::sample_bytes), reentrant, wrong_thread and
/// out_of_host_memory. O(sites), of which there are up to 1024.
BESOM_API besom_status besom_allocation_sites(besom_heap* heap, besom_allocation_visitor visitor,
                                              void* user);
/// Writes where live objects were allocated into the file `name`, which ends in ".heapprofile" for
/// Chrome's DevTools. Fails likewise, and as besom_save_snapshot().
BESOM_API besom_status besom_save_allocation_profile(besom_heap* heap, const char* name);

/// What leads to an object.
typedef enum besom_via {
  BESOM_VIA_ROOT,     ///< The first object: `name` is the root's label.
  BESOM_VIA_FIELD,    ///< A field of the object before: `name` is the field's.
  BESOM_VIA_ELEMENT,  ///< An element of its trailing array: `element`.
  BESOM_VIA_CALLBACK  ///< What its trace callback visits.
} besom_via;
/// One object of a path, and the slot that leads to it.
typedef struct besom_step {
  const void* object;     ///< What the slot leads to.
  const char* type_name;  ///< Of the object; "(damaged header)" where that is so.
  besom_via via;          ///< Where the slot is.
  const char* name;       ///< NULL for elements and callbacks.
  uint32_t element;       ///< For BESOM_VIA_ELEMENT.
} besom_step;
/// Called for each step, the root's first.
typedef void (*besom_step_visitor)(void* user, const besom_step* step);
/// Why the object lives: a shortest path from a root to it; no step where there is none. Fails with
/// bad_ref, reentrant, wrong_thread and out_of_host_memory. O(heap).
BESOM_API besom_status besom_path_to_root(besom_heap* heap, const void* object,
                                          besom_step_visitor visitor, void* user);

/// How the heap was told of a root.
typedef enum besom_root_kind {
  BESOM_ROOT_HANDLE,
  BESOM_ROOT_LOCAL,
  BESOM_ROOT_RANGE,
  BESOM_ROOT_CALLBACK,
  BESOM_ROOT_MARK_HOOK
} besom_root_kind;
/// All roots of one kind under one label.
typedef struct besom_held_root {
  besom_root_kind kind;   ///< A native stack that is searched is a range.
  const char* kind_name;  ///< "mark hook"
  const char* label;      ///< As the program gave it; "" where it gave none.
  uint64_t count;         ///< Handles, locals that are not null, or registrations.
} besom_held_root;
/// Called for each kind and label.
typedef void (*besom_held_root_visitor)(void* user, const besom_held_root* root);
/// The roots there are, by kind and label. Fails with reentrant, wrong_thread and
/// out_of_host_memory.
BESOM_API besom_status besom_held_roots(besom_heap* heap, besom_held_root_visitor visitor,
                                        void* user);

/// What can be wrong.
typedef enum besom_defect_kind {
  BESOM_DEFECT_BAD_REF,
  BESOM_DEFECT_BAD_HEADER,
  BESOM_DEFECT_BAD_ROOT,
  BESOM_DEFECT_MISSED_STORE,  ///< A store that besom_note_store() was not told of.
  /// What an incremental cycle did not mark although something leads to it: a store or a read from
  /// a weak slot, somewhere, that besom_note_overwrite() or besom_note_read() was not told of.
  BESOM_DEFECT_LOST
} besom_defect_kind;
/// One thing that verification found wrong.
typedef struct besom_defect {
  besom_defect_kind kind;  ///< What is wrong.
  besom_ref holder;        ///< The object with the slot; 0 for a root.
  uint32_t offset;         ///< Of the slot in the holder.
  besom_ref target;        ///< What the slot holds; for a bad header, the type it names.
  const char* message;     ///< One line that names all of it, cut to 1023 bytes.
} besom_defect;
/// Called for each defect that is kept.
typedef void (*besom_defect_visitor)(void* user, const besom_defect* defect);
/// Walks the whole heap and reports what is wrong; `*defects`, or NULL, gets how much. `visitor`,
/// or NULL, is called afterwards for the first 1000. Callbacks are called as in a collection. Fails
/// with reentrant and wrong_thread, having walked nothing, and with out_of_host_memory: then all is
/// counted, but `visitor` was called for fewer. O(heap).
BESOM_API besom_status besom_verify(besom_heap* heap, besom_defect_visitor visitor, void* user,
                                    uint64_t* defects);
/// The same for the first `max_defects`, each of which takes 64 bytes of host memory meanwhile.
BESOM_API besom_status besom_verify_most(besom_heap* heap, uint64_t max_defects,
                                         besom_defect_visitor visitor, void* user,
                                         uint64_t* defects);

/// Receives a snapshot's text in order, in pieces of up to 64 KiB. False: it takes no more.
typedef bool (*besom_snapshot_write)(void* user, const char* bytes, size_t count);
/// What an object counts as in the viewer, which groups those of kind object by their names, and
/// all others by kind.
typedef enum besom_node_kind {
  BESOM_NODE_ARRAY = 1,
  BESOM_NODE_STRING = 2,
  BESOM_NODE_OBJECT = 3,
  BESOM_NODE_CODE = 4,
  BESOM_NODE_CLOSURE = 5,
  BESOM_NODE_NUMBER = 7,
  BESOM_NODE_NATIVE = 8,
  BESOM_NODE_SYMBOL = 12,
  BESOM_NODE_BIGINT = 13
} besom_node_kind;
/// How one object is shown.
typedef struct besom_node_label {
  uint32_t kind;    ///< A besom_node_kind; BESOM_NODE_OBJECT to begin with.
  uint32_t length;  ///< Bytes of `text`; 0, to begin with: the object's type names it.
  char text[120];   ///< UTF-8.
} besom_node_label;
/// Labels objects one by one where the names of types say too little: called several times for
/// each object, and has to say the same each time. Trusted code.
typedef struct besom_labeller {
  /// Changes `label` where it is to be another. NULL: types name all objects.
  void (*label)(void* user, const besom_object* object, besom_node_label* label);
  void* user;  ///< Passed to `label`.
} besom_labeller;
/// What a snapshot shows.
typedef struct besom_snapshot {
  uint64_t objects;      ///< Dead ones included that were not yet collected.
  uint64_t edges;        ///< Of objects and roots, those that name the groups of roots included.
  uint64_t bytes;        ///< Of text.
  uint64_t bad_refs;     ///< Slots and roots that hold no object's index: left out.
  uint64_t bad_headers;  ///< Objects shown without a type and what they refer to.
} besom_snapshot;
/// Writes all objects, what they refer to and what roots hold, as a heap snapshot that Chrome's
/// DevTools load. besom_collect() first to see the live ones alone. `labeller` and `snapshot` may
/// be NULL. Fails with write_failed when `write` does, with abandoned when a callback visits or
/// says something else from one walk to the next, and with reentrant, wrong_thread and
/// out_of_host_memory. O(heap).
BESOM_API besom_status besom_write_snapshot(besom_heap* heap, besom_snapshot_write write,
                                            void* user, const besom_labeller* labeller,
                                            besom_snapshot* snapshot);
/// The same into the file `name`, which ends in ".heapsnapshot" for the viewer. It is written
/// beside and then takes the place of a file of that name, which stays as it was when anything
/// fails: write_failed then, with errno, also where `name` is there and no regular file.
BESOM_API besom_status besom_save_snapshot(besom_heap* heap, const char* name,
                                           const besom_labeller* labeller,
                                           besom_snapshot* snapshot);

// ---- statistics --------------------------------------------------------------------------------

/// Why a collection ran.
typedef enum besom_cause {
  BESOM_CAUSE_REQUESTED,
  BESOM_CAUSE_FULL,      ///< No hole was large enough.
  BESOM_CAUSE_PACE,      ///< Enough was allocated, whatever is free.
  BESOM_CAUSE_EXTERNAL,  ///< External bytes have grown.
  BESOM_CAUSE_NURSERY,   ///< Enough was allocated to look among the young.
  BESOM_CAUSE_ZEAL
} besom_cause;
/// Name of the cause without its prefix, in lower case: "requested".
BESOM_API const char* besom_cause_name(besom_cause cause);

/// One collection. Sizes in bytes, times in nanoseconds.
typedef struct besom_collection {
  uint64_t number;  ///< Counts from 1.
  uint8_t cause;    ///< A besom_cause.
  bool abandoned;   ///< Nothing was freed; live_bytes and live_objects count all there is.
  bool minor;       ///< Marked the young alone.
  /// After it; rounded up to 16, headers included. Where the sweep is left to allocation, an object
  /// without refs whose length was overwritten counts for what its header says.
  uint64_t live_bytes,
      live_objects,   ///< After it.
      freed_bytes,    ///< Rounded up to 16, headers included.
      freed_objects;  ///< Found dead.
  uint64_t roots_ns,  ///< Visiting the roots.
      mark_ns,        ///< Marking what they lead to.
      weak_ns,        ///< Mark hooks, weak things, finalizers and release hooks.
      sweep_ns,       ///< Without what is left to allocation.
      pause_ns;       ///< All its stops, verification under zeal excepted.
  uint64_t holes,     ///< After it; 0 where the sweep is left to allocation.
      largest_hole,   ///< Likewise.
      committed,      ///< Of the arena accessible, after it.
      reserved,       ///< Address space of the arena, its guard included.
      returned;       ///< Given back to the system by this collection.
  uint64_t external;  ///< Bytes held outside, at its end.
  /// Allocated between the beginning and the end of a cycle: live for this collection, whatever
  /// became of it. 0 where the program stood still.
  uint64_t born_bytes;
  /// Slots that held no object's index; not followed. Where the mark stack was full, not all count.
  uint64_t bad_refs;
  /// Objects whose header contradicts the tables; not traced. Those without refs are not looked at.
  uint64_t bad_headers;
  uint64_t mark_rescans;  ///< Walks of the mark bitmap because the mark stack was full.
  uint64_t weak_cleared,  ///< Weak slots and handles whose targets died.
      entries_broken,     ///< Entries of ephemerons and weak values.
      finalizers_ready,   ///< Registrations whose objects were found dead.
      released;           ///< Objects whose release hooks ran.
} besom_collection;
/// The heap now.
typedef struct besom_stats {
  uint64_t collections,     ///< Minor and abandoned ones included.
      abandoned;            ///< Of these, the collections that were abandoned.
  uint64_t capacity;        ///< Bytes that objects may take before the heap grows.
  uint64_t used;            ///< In objects, dead ones included; not what zeal holds back.
  uint64_t committed,       ///< Of the arena accessible.
      reserved;             ///< Address space of the arena, its guard included.
  uint64_t table_bytes;     ///< Side tables: memory that they take at most, by what was used.
  uint64_t table_reserved;  ///< Their address space, sized for heap_max.
  uint64_t external,        ///< Bytes held outside on behalf of objects.
      allocated;            ///< Bytes handed out, unused rests at hand included.
  uint64_t pause_ns,        ///< Sum over all collections.
      pause_max_ns,         ///< The longest.
      freed_bytes,          ///< Sum over all collections.
      freed_objects;        ///< Likewise.
  uint64_t finalizers_run,  ///< Callbacks called by besom_run_finalizers().
      finalizers_failed,    ///< Those that threw, which none in C does.
      released;             ///< Objects whose release hooks ran.
  /// Bytes of the arena that were handed out for the first time, or again after they were given
  /// back: the system clears their pages when the program first writes there, which no stop counts.
  uint64_t touched;
} besom_stats;
/// The collection that ended last; all zero before the first. May be called in callbacks.
BESOM_API void besom_last_collection(const besom_heap* heap, besom_collection* collection);
/// May be called in callbacks.
BESOM_API void besom_get_stats(const besom_heap* heap, besom_stats* stats);
/// What the collector does while the program stands still.
typedef enum besom_stop {
  BESOM_STOP_FULL,   ///< A collection of the whole heap at once, or one that was abandoned.
  BESOM_STOP_MINOR,  ///< A collection of the young alone.
  BESOM_STOP_BEGIN,  ///< The beginning of an incremental cycle: the roots.
  BESOM_STOP_SLICE,  ///< Some marking of a cycle.
  BESOM_STOP_END     ///< The end of a cycle: the last marking, and what comes after marking.
} besom_stop;
/// Entries of the histogram in besom_stop_stats.
#define BESOM_STOP_LENGTHS 24
/// The stops of one kind, in wall clock, verification under zeal excepted. What allocation does by
/// the way, sweeping and new pages, is not a stop.
typedef struct besom_stop_stats {
  uint64_t count,  ///< How many there were.
      total_ns,    ///< Together.
      longest_ns;  ///< Of these.
  /// A histogram: how many took less than 2^i microseconds and are in no entry before. All that
  /// took 4 s and more are in the last.
  uint64_t lengths[BESOM_STOP_LENGTHS];
} besom_stop_stats;
/// Minimum mutator utilisation: of any span of so many milliseconds, the least share that was left
/// to the program by the stops. 1 where there was none.
typedef struct besom_utilisation {
  double in_1_ms,  ///< From 0 to 1, as the others.
      in_5_ms,     ///< Of five milliseconds.
      in_10_ms,    ///< Of ten.
      in_50_ms;    ///< Of fifty.
} besom_utilisation;
/// Since creation; all zero for what is no besom_stop. May be called in callbacks.
BESOM_API void besom_get_stops(const besom_heap* heap, besom_stop kind, besom_stop_stats* stops);
/// Since creation. May be called in callbacks.
BESOM_API void besom_get_utilisation(const besom_heap* heap, besom_utilisation* utilisation);
/// Called after each collection, but for one that a callback jumped out of.
typedef void (*besom_listener)(void* user, const besom_collection* collection);
/// NULL: nobody listens any more. Fails with reentrant and wrong_thread.
BESOM_API besom_status besom_set_listener(besom_heap* heap, besom_listener listener, void* user);

#ifdef __cplusplus
}
#endif

#endif
