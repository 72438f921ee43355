#include "tests/heap/fault_system.hpp"

#include <cerrno>
#include <iterator>

#include "besom/detail/check.hpp"

namespace besom::test {
namespace {

struct Mapping {
  void* address;
  std::size_t bytes;
};

struct State {
  std::uint64_t calls[kSystemCalls] = {};
  SystemCall failing = SystemCall::reserve;
  std::uint64_t countdown = 0;  // 0: nothing fails
  bool persistent = false;
  std::uint64_t injected = 0;
  std::uint64_t injected_in_all = 0;
  Mapping mappings[256] = {};
  std::size_t mapping_count = 0;
};

State state;

/// Counts the call; true when it has to fail.
bool strikes(SystemCall call) {
  ++state.calls[static_cast<int>(call)];
  if (state.countdown == 0 || call != state.failing) return false;
  if (state.countdown > 1) {
    --state.countdown;
    return false;
  }
  if (!state.persistent) state.countdown = 0;
  ++state.injected;
  ++state.injected_in_all;
  errno = call < SystemCall::create_file ? ENOMEM : ENOSPC;
  return true;
}

void* note_mapping(void* address, std::size_t bytes) {
  if (address == nullptr) return nullptr;
  BESOM_CHECK(state.mapping_count < std::size(state.mappings), "mappings", state.mapping_count, 0);
  state.mappings[state.mapping_count++] = {address, bytes};
  return address;
}

/// The mapping that holds all of it.
Mapping& mapping_of(void* address, std::size_t bytes) {
  auto* const first = static_cast<char*>(address);
  for (std::size_t i = 0; i < state.mapping_count; ++i) {
    Mapping& mapping = state.mappings[i];
    auto* const begin = static_cast<char*>(mapping.address);
    if (begin <= first && first + bytes <= begin + mapping.bytes) return mapping;
  }
  BESOM_CHECK(false, "memory that was not given: address, bytes",
              reinterpret_cast<std::uintptr_t>(address), bytes);
  return state.mappings[0];
}

/// The whole mapping, or its first or last part.
void forget_mapping(void* address, std::size_t bytes) {
  Mapping& mapping = mapping_of(address, bytes);
  auto* const first = static_cast<char*>(address);
  auto* const begin = static_cast<char*>(mapping.address);
  const bool is_first = first == begin;
  BESOM_CHECK(is_first || first + bytes == begin + mapping.bytes, "unmapped from the middle",
              mapping.bytes, bytes);
  mapping.bytes -= bytes;
  if (is_first) mapping.address = first + bytes;
  if (mapping.bytes == 0) mapping = state.mappings[--state.mapping_count];
}

extern System the_table;

void check_pages(const void* address, std::size_t bytes) {
  BESOM_CHECK((reinterpret_cast<std::uintptr_t>(address) | bytes) % the_table.page() == 0,
              "part of a page: address, bytes", reinterpret_cast<std::uintptr_t>(address), bytes);
}

/// Memory at a multiple of a page that may be larger than the machine's.
template <class Map>
void* map_aligned(std::size_t bytes, Map map) {
  const System& system = operating_system();
  const std::size_t page = the_table.page();
  if (page == system.page_bytes) return map(bytes);
  auto* more = static_cast<char*>(map(bytes + page));
  if (more == nullptr) return nullptr;
  const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(more) % page) % page;
  if (before != 0) system.unmap(more, before);
  system.unmap(more + before + bytes, page - before);
  return more + before;
}

template <auto kCall>
int on_memory(SystemCall call, void* address, std::size_t bytes) {
  if (strikes(call)) return -1;
  check_pages(address, bytes);
  static_cast<void>(mapping_of(address, bytes));
  return (operating_system().*kCall)(address, bytes);
}

System the_table{
    .reserve = [](void* hint, std::size_t bytes) -> void* {
      if (strikes(SystemCall::reserve)) return nullptr;
      check_pages(hint, bytes);
      const auto reserve = [&](std::size_t more) { return operating_system().reserve(hint, more); };
      return note_mapping(hint != nullptr ? reserve(bytes) : map_aligned(bytes, reserve), bytes);
    },
    .map = [](std::size_t bytes) -> void* {
      if (strikes(SystemCall::map)) return nullptr;
      check_pages(nullptr, bytes);
      return note_mapping(map_aligned(bytes, operating_system().map), bytes);
    },
    .unmap =
        [](void* address, std::size_t bytes) {
          if (strikes(SystemCall::unmap)) return -1;
          check_pages(address, bytes);
          forget_mapping(address, bytes);
          return operating_system().unmap(address, bytes);
        },
    .commit =
        [](void* address, std::size_t bytes) {
          return on_memory<&System::commit>(SystemCall::commit, address, bytes);
        },
    .discard =
        [](void* address, std::size_t bytes) {
          return on_memory<&System::discard>(SystemCall::discard, address, bytes);
        },
    .advise_huge =
        [](void* address, std::size_t bytes) {
          return on_memory<&System::advise_huge>(SystemCall::advise_huge, address, bytes);
        },
    .name =
        [](void* address, std::size_t bytes, const char* text) {
          return strikes(SystemCall::name) ? -1 : operating_system().name(address, bytes, text);
        },
    .create_file =
        [](char* text) {
          return strikes(SystemCall::create_file) ? -1 : operating_system().create_file(text);
        },
    .write_file = [](int file, const void* data, std::size_t bytes,
                     std::uint64_t offset) -> std::int64_t {
      if (strikes(SystemCall::write_file)) return -1;
      return operating_system().write_file(file, data, bytes, offset);
    },
    .sync_file =
        [](int file) {
          return strikes(SystemCall::sync_file) ? -1 : operating_system().sync_file(file);
        },
    .close_file =
        [](int file) {
          const int result = operating_system().close_file(file);
          return strikes(SystemCall::close_file) ? -1 : result;
        },
    .replace_file =
        [](const char* target, const char* file) {
          return strikes(SystemCall::replace_file) ? -1
                                                   : operating_system().replace_file(target, file);
        },
    .remove_file =
        [](const char* text) {
          return strikes(SystemCall::remove_file) ? -1 : operating_system().remove_file(text);
        },
    .advise_small =
        [](void* address, std::size_t bytes) {
          return on_memory<&System::advise_small>(SystemCall::advise_small, address, bytes);
        },
    .page_bytes = operating_system().page_bytes,
};

}  // namespace

const char* name_of(SystemCall call) noexcept {
  constexpr const char* kNames[kSystemCalls] = {
      "reserve",     "map",          "unmap",       "commit",      "discard",
      "advise_huge", "name",         "create_file", "write_file",  "sync_file",
      "close_file",  "replace_file", "remove_file", "advise_small"};
  return kNames[static_cast<int>(call)];
}

const System& FaultSystem::table() noexcept { return the_table; }

void FaultSystem::set_page(std::size_t bytes) noexcept {
  BESOM_CHECK(state.mapping_count == 0, "page changed with mappings", state.mapping_count, bytes);
  the_table.page_bytes = bytes != 0 ? bytes : operating_system().page_bytes;
}

void FaultSystem::reset() noexcept {
  for (std::uint64_t& count : state.calls) count = 0;
  lift();
}

void FaultSystem::fail(SystemCall call, std::uint64_t k, bool persistent) noexcept {
  state.failing = call;
  state.countdown = k;
  state.persistent = persistent;
  state.injected = 0;
}

void FaultSystem::lift() noexcept { state.countdown = 0; }

std::uint64_t FaultSystem::calls(SystemCall call) noexcept {
  return state.calls[static_cast<int>(call)];
}
std::uint64_t FaultSystem::injected() noexcept { return state.injected; }
std::uint64_t FaultSystem::injected_in_all() noexcept { return state.injected_in_all; }
std::size_t FaultSystem::mappings() noexcept { return state.mapping_count; }

std::uint64_t FaultSystem::mapped_bytes() noexcept {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < state.mapping_count; ++i) bytes += state.mappings[i].bytes;
  return bytes;
}

void FaultSystem::release_all() noexcept {
  while (state.mapping_count != 0) {
    const Mapping mapping = state.mappings[--state.mapping_count];
    operating_system().unmap(mapping.address, mapping.bytes);
  }
}

}  // namespace besom::test
