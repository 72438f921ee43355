#include "inspect/observe/profile.hpp"

#include "inspect/file_target.hpp"
#include "inspect/observe/json.hpp"

namespace besom::detail {
namespace {

/// Lines count from 0 there; -1 is none.
void write_frame(Json& json, std::string_view function, std::string_view file, std::uint32_t line,
                 std::uint32_t column) noexcept {
  json.begin("callFrame", '{');
  json.text("functionName", function);
  json.text("scriptId", "0");
  json.text("url", file);
  json.number_from_zero("lineNumber", line);
  json.number_from_zero("columnNumber", column);
  json.end('}');
}

/// One level below the root: the type is a frame of its own, within its site.
void write_node(Json& json, const Site& site, const char* type, std::uint64_t bytes,
                std::uint64_t id) noexcept {
  json.begin(nullptr, '{');
  write_frame(json, site.function, site.file, site.line, site.column);
  json.number("selfSize", 0);
  json.number("id", 2 * id);
  json.begin("children", '[');
  json.begin(nullptr, '{');
  write_frame(json, type, site.file, site.line, site.column);
  json.number("selfSize", bytes);
  json.number("id", 2 * id + 1);
  json.begin("children", '[');
  json.end(']');
  json.end('}');
  json.end(']');
  json.end('}');
}

void write_profile(JsonOutput& output, const SiteTable& sites, const TypeTable& types,
                   ProfileOf of) noexcept {
  const auto bytes_of = [of](const Site& site) {
    return of == ProfileOf::live ? site.live_bytes : site.peak_bytes;
  };
  Json json(output);
  json.begin(nullptr, '{');
  json.begin("head", '{');
  write_frame(json, "(root)", "", 0, 0);
  json.number("selfSize", 0);
  json.number("id", 1);
  json.begin("children", '[');
  std::uint64_t id = 0;
  for (const Site& site : sites.sites()) {
    ++id;
    const std::uint64_t bytes = bytes_of(site);
    if (bytes != 0) write_node(json, site, types[site.type].descriptor->name.c_str(), bytes, id);
  }
  json.end(']');
  json.end('}');
  json.begin("samples", '[');
  id = 0;
  for (const Site& site : sites.sites()) {
    ++id;
    const std::uint64_t bytes = bytes_of(site);
    if (bytes == 0) continue;
    json.begin(nullptr, '{');
    json.number("size", bytes);
    json.number("nodeId", 2 * id + 1);
    json.number("ordinal", id);
    json.end('}');
  }
  json.end(']');
  json.end('}');
  output.text("\n");
  output.flush();
}

}  // namespace

Error save_profile(const SiteTable& sites, const TypeTable& types, const System& system,
                   const char* name, ProfileOf of) noexcept {
  FileTarget target(system);
  if (const Error error = target.file.open(name)) return error;
  JsonOutput output(target.sink());
  if (!output.create()) return {.code = Errc::out_of_host_memory, .detail = "profile"};
  write_profile(output, sites, types, of);
  return target.error ? target.error : target.file.commit();
}

}  // namespace besom::detail
