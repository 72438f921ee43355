#pragma once

#include "besom/error.hpp"
#include "besom/system.hpp"
#include "heap/type_table.hpp"
#include "inspect/observe/site_table.hpp"

namespace besom::detail {

/// What of the samples.
enum class ProfileOf : std::uint8_t { live, peak };

/// Writes what lives of the samples, or did at the fullest collection, by site, into the file
/// `name`, as an allocation profile for Chrome's DevTools. Fails with write_failed and
/// out_of_host_memory.
[[nodiscard]] Error save_profile(const SiteTable& sites, const TypeTable& types,
                                 const System& system, const char* name, ProfileOf of) noexcept;

}  // namespace besom::detail
