#pragma once

#include "besom/log.hpp"

namespace besom::detail {

/// Lines to spdlog's "besom" logger, or, built without spdlog, to nowhere.
[[nodiscard]] LogSink default_sink(LogLevel level) noexcept;

}  // namespace besom::detail
