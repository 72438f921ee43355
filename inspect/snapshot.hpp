#pragma once

#include "besom/snapshot.hpp"
#include "inspect/snapshot_source.hpp"

namespace besom::detail {

/// Fails with write_failed where the sink does, with out_of_host_memory, and with abandoned where a
/// callback visits or says something else from one walk to the next. O(heap).
[[nodiscard]] Result<SnapshotStats> write_snapshot(const SnapshotSource& source,
                                                   const SnapshotSink& sink,
                                                   const SnapshotLabeller& labeller);

}  // namespace besom::detail
