/// Where heaps are made: with all that is below, and what the options want to hear of it.

#include <stdlib.h>  // secure_getenv

#include "besom/heap.hpp"
#include "gc/default_sink.hpp"
#include "heap/arena.hpp"
#include "inspect/observe/observers.hpp"

namespace besom {

Result<HeapPtr> Heap::create(const HeapOptions& requested) {
  HeapOptions options = requested;
  // A program with more rights than its user must not be steered by the user's environment.
  const char* environment = options.read_environment ? secure_getenv("BESOM_OPTIONS") : nullptr;
  if (environment != nullptr) {
    Result<HeapOptions> parsed = parse_options(environment, options);
    if (!parsed) return parsed.error();
    options = *parsed;
  }
  if (Error error = check_options(options)) return error;
  if (options.hash_seed == 0) options.hash_seed = random_seed();
  LogSink log = options.sink;
  log.level = options.log;
  if (log.write == nullptr) log = detail::default_sink(options.log);
  Result<HeapPtr> heap = make_parts(options, log);
  if (!heap || !detail::Observers::are_wanted(options)) return heap;
  detail::HeapParts& parts = (*heap)->parts_;
  Result<std::unique_ptr<detail::Observers>> observers = detail::Observers::create(parts, log);
  if (!observers) return observers.error();
  parts.observer = observers->release();
  return heap;
}

}  // namespace besom
