#pragma once

#include <cstdint>

#include "besom/detail/heap_parts.hpp"
#include "besom/inspect.hpp"

namespace besom::detail {

struct RunTables;

/// The record of a run as it is `written_ns` after its beginning: docs/record-format.md. False when
/// the sink fails or the host has no memory.
[[nodiscard]] bool write_record(const RunTables& run, const HeapParts& heap,
                                std::uint64_t written_ns, bool is_final,
                                const SnapshotSink& sink) noexcept;

}  // namespace besom::detail
