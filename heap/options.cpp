#include "besom/options.hpp"

#include <bit>
#include <charconv>
#include <limits>
#include <optional>

namespace besom {

namespace detail {
#ifdef BESOM_ZEAL
const char kLibraryIsBuiltWithZeal = 1;
#else
const char kLibraryIsBuiltWithoutZeal = 1;
#endif
}  // namespace detail

namespace {

constexpr double kMaxGrowth = 1000;
constexpr const char* kNoGrowth = "growth: a factor has to be above 1, at most 1000";

Error bad(const char* detail) { return {.code = Errc::bad_option, .detail = detail}; }

/// NaN is none.
bool is_factor(double factor) { return factor > 1 && factor <= kMaxGrowth; }

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  return parsed.ec == std::errc{} && parsed.ptr == end;
}

bool parse_size(std::string_view text, std::uint64_t& bytes) {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      default:
        break;
    }
    if (shift != 0) text.remove_suffix(1);
  }
  if (!parse_number(text, bytes) || bytes > std::numeric_limits<std::uint64_t>::max() >> shift) {
    return false;
  }
  bytes <<= shift;
  return true;
}

/// Digits, with a point between them or none: at most 15, so that the quotient is exact to the last
/// bit. std::from_chars for double is in no libc++ before 20, and strtod() asks the locale.
bool parse_decimal(std::string_view text, double& number) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view part =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty() || (point != std::string_view::npos && part.empty())) return false;
  if (whole.size() + part.size() > 15) return false;
  double digits = 0;
  double unit = 1;
  for (const char digit : whole) {
    if (digit < '0' || digit > '9') return false;
    digits = digits * 10 + (digit - '0');
  }
  for (const char digit : part) {
    if (digit < '0' || digit > '9') return false;
    digits = digits * 10 + (digit - '0');
    unit *= 10;
  }
  number = digits / unit;
  return true;
}

bool parse_growth(std::string_view text, Growth& growth) {
  if (text == "fixed") {
    growth = Growth::fixed();
    return true;
  }
  return parse_decimal(text, growth.factor) && is_factor(growth.factor);
}

bool parse_zeal(std::string_view text, Zeal& zeal) {
  zeal = {.collect_every = 0, .verify = false, .poison = false, .quarantine = 0};
  if (text == "off") return true;
  bool only_alloc = true;
  std::optional<std::uint64_t> quarantine;
  while (true) {
    const std::size_t plus = text.find('+');
    const std::string_view mode = text.substr(0, plus);
    if (mode.starts_with("alloc:")) {
      if (!parse_number(mode.substr(6), zeal.collect_every) || zeal.collect_every == 0)
        return false;
    } else if (mode == "verify") {
      zeal.verify = true;
      only_alloc = false;
    } else if (mode == "poison") {
      zeal.poison = true;
      only_alloc = false;
    } else if (mode.starts_with("quarantine:")) {
      if (!parse_size(mode.substr(11), quarantine.emplace())) return false;
    } else {
      return false;
    }
    if (plus == std::string_view::npos) break;
    text.remove_prefix(plus + 1);
  }
  if (only_alloc && zeal.collect_every != 0) zeal = Zeal::every(zeal.collect_every);
  if (quarantine) {
    zeal.quarantine = *quarantine;
    zeal.poison |= *quarantine != 0;
  }
  return true;
}

bool parse_log(std::string_view text, LogLevel& level) {
  constexpr std::string_view kNames[] = {"trace", "debug", "info", "warn", "error", "off"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (text != kNames[i]) continue;
    level = static_cast<LogLevel>(i);
    return true;
  }
  return false;
}

constexpr std::uint32_t kMostSlice = 1u << 30;

constexpr const char* kUnknownKey =
    "unknown key; known: heap_initial, heap_max, reserve, growth, generational, incremental, "
    "slice, safepoints, zeal, "
    "mark_stack, hash_seed, log, trace, snapshot_at_limit, record, stats, allocation_profile, "
    "sample_bytes";

/// The option of a file that the key names, or nullptr.
FileName* file_option(std::string_view key, HeapOptions& options) {
  if (key == "trace") return &options.trace;
  if (key == "snapshot_at_limit") return &options.snapshot_at_limit;
  if (key == "allocation_profile") return &options.allocation_profile;
  return key == "record" ? &options.record : nullptr;
}
constexpr const char* kLongName = "the name of a file has more than 511 bytes";

/// nullptr, or the message for the pair.
const char* apply(std::string_view key, std::string_view value, HeapOptions& options) {
  const auto unless = [](bool ok, const char* message) { return ok ? nullptr : message; };
  if (key == "heap_initial") {
    return unless(parse_size(value, options.heap_initial), "heap_initial: not a size");
  }
  if (key == "heap_max") return unless(parse_size(value, options.heap_max), "heap_max: not a size");
  if (key == "reserve") return unless(parse_size(value, options.reserve), "reserve: not a size");
  if (key == "growth") {
    return unless(parse_growth(value, options.growth),
                  "growth: neither `fixed` nor a decimal factor above 1, at most 1000");
  }
  if (key == "incremental") {
    options.incremental = value == "on";
    return unless(value == "on" || value == "off", "incremental: neither `on` nor `off`");
  }
  if (key == "slice") {
    return unless(parse_number(value, options.slice), "slice: not a number of units");
  }
  if (key == "generational") {
    options.generational = value == "on";
    return unless(value == "on" || value == "off", "generational: neither `on` nor `off`");
  }
  if (key == "safepoints") {
    options.safepoints = value == "on";
    return unless(value == "on" || value == "off", "safepoints: neither `on` nor `off`");
  }
  if (key == "zeal") {
    return unless(parse_zeal(value, options.zeal),
                  "zeal: neither `off` nor a sum of alloc:N, verify, poison, quarantine:SIZE");
  }
  if (key == "mark_stack") {
    return unless(parse_number(value, options.mark_stack), "mark_stack: not a number of entries");
  }
  if (key == "hash_seed") {
    return unless(parse_number(value, options.hash_seed), "hash_seed: not a number");
  }
  if (key == "log") {
    return unless(parse_log(value, options.log),
                  "log: none of trace, debug, info, warn, error, off");
  }
  if (key == "sample_bytes") {
    return unless(parse_size(value, options.sample_bytes), "sample_bytes: not a size");
  }
  if (key == "stats") {
    options.stats_at_exit = value == "exit";
    return unless(value == "exit" || value == "off", "stats: neither `exit` nor `off`");
  }
  if (FileName* file = file_option(key, options)) {
    *file = value;
    return unless(!file->is_too_long(), kLongName);
  }
  return kUnknownKey;
}

/// nullptr, or what is wrong with the calls.
const char* fault_in(const System& system) {
  if (system.reserve == nullptr) return "system: no `reserve`";
  if (system.map == nullptr) return "system: no `map`";
  if (system.unmap == nullptr) return "system: no `unmap`";
  if (system.commit == nullptr) return "system: no `commit`";
  if (system.discard == nullptr) return "system: no `discard`";
  const std::size_t page = system.page();
  if (!std::has_single_bit(page) || page < (4 << 10) || page > (2 << 20)) {
    return "system: `page_bytes` is no power of two from 4 KiB to 2 MiB";
  }
  return nullptr;
}

}  // namespace

Result<HeapOptions> parse_options(std::string_view text, HeapOptions base) {
  bool is_last = text.empty();
  while (!is_last) {
    const std::size_t comma = text.find(',');
    const std::string_view pair = text.substr(0, comma);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return bad("no key=value pair").named(pair);
    const std::string_view key = pair.substr(0, equals);
    const std::string_view value = pair.substr(equals + 1);
    const char* message = apply(key, value, base);
    if (message != nullptr) return bad(message).named(message == kUnknownKey ? key : value);
    is_last = comma == std::string_view::npos;
    if (!is_last) text.remove_prefix(comma + 1);
  }
  return base;
}

Error check_options(const HeapOptions& options) noexcept {
  if (options.heap_max < (64 << 10)) return bad("heap_max: less than 64 KiB");
  if (options.heap_max > HeapOptions::kMaxHeap) return bad("heap_max: more than 4 GiB");
  if (options.heap_initial > options.heap_max) return bad("heap_initial: more than heap_max");
  if (options.reserve != 0 && options.reserve < options.heap_max) {
    return bad("reserve: less than heap_max");
  }
  if (options.reserve > HeapOptions::kMaxHeap * 2) return bad("reserve: more than 8 GiB");
  if (options.slice == 0 || options.slice > kMostSlice) {
    return {.code = Errc::bad_option,
            .bytes = options.slice,
            .limit = kMostSlice,
            .detail = "slice: from 1 to 2^30 units"};
  }
  const double factor = options.growth.factor;
  if (factor != 0 && !is_factor(factor)) return bad(kNoGrowth);
  if (options.log > LogLevel::off) return bad("log: no level");
  if (options.sample_bytes != 0 &&
      (options.sample_bytes < (4 << 10) || options.sample_bytes > std::uint64_t{1} << 40)) {
    return bad("sample_bytes: from 4 KiB to 1 TiB");
  }
  for (const FileName* file :
       {&options.trace, &options.snapshot_at_limit, &options.record, &options.allocation_profile}) {
    if (file->is_too_long()) return bad(kLongName).named(file->c_str());
  }
  if (options.system != nullptr) {
    if (const char* fault = fault_in(*options.system)) return bad(fault);
  }
  return {};
}

}  // namespace besom
