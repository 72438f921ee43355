#pragma once

#include <string>

#include "interp.hpp"

namespace scheme {

/// Collects, then writes what lives into a file for Chrome's DevTools, strings, symbols, procedures
/// and records under names of their own.
[[nodiscard]] besom::Result<besom::SnapshotStats> save_snapshot(Interp& in,
                                                                const std::string& file);

}  // namespace scheme
