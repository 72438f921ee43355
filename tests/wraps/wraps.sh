#!/usr/bin/env bash
# Checks that Meson can read each wrap, that it provides the dependency that Besom asks for, and
# that the build file laid over the download fits the files that build it. The archives themselves
# are not downloaded: each is replaced by a stand-in with the same folders and empty files.
#   wraps.sh SOURCE_ROOT
set -euo pipefail
source_root=$1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p subprojects/packagecache
cp -r "$source_root"/subprojects/*.wrap "$source_root/subprojects/packagefiles" subprojects/

field() { sed -n "s/^$2 = //p" "subprojects/$1.wrap"; }

# stand_in WRAP PATH... : makes the archive of `WRAP` with the empty files and folders (ending in
# a slash) `PATH...`, and has the wrap expect that one.
stand_in() {
  local wrap=$1 folder archive path
  shift
  folder=$(field "$wrap" directory)
  archive=subprojects/packagecache/$(field "$wrap" source_filename)
  mkdir "$folder"
  for path in "$@"; do
    case $path in
      */) mkdir -p "$folder/$path" ;;
      *)
        mkdir -p "$folder/$(dirname "$path")"
        : >"$folder/$path"
        ;;
    esac
  done
  # Catch2 brings its own build file; this one stands for it.
  if [ -z "$(field "$wrap" patch_directory)" ]; then
    cat >"$folder/meson.build" <<'END'
project('stand-in', 'cpp', version: '3.15.3')
catch2_dep = declare_dependency(version: meson.project_version())
catch2_with_main_dep = catch2_dep
END
  fi
  case $archive in
    *.zip) (cd "$folder" && python3 -m zipfile -c "../$archive" ./*) ;; # without the folder itself
    *) tar -caf "$archive" "$folder" ;;
  esac
  rm -r "$folder"
  sed -i "s/^source_hash = .*/source_hash = $(sha256sum "$archive" | cut -d' ' -f1)/" \
    "subprojects/$wrap.wrap"
}

for wrap in subprojects/*.wrap; do
  grep -qE '^source_hash = [0-9a-f]{64}$' "$wrap" || {
    echo "$wrap: no SHA-256"
    exit 1
  }
done

stand_in catch2
stand_in spdlog include/
stand_in cli11 include/
stand_in nlohmann_json include/nlohmann/
mapfile -t sources < <(grep -oE "'[a-z_]+'" subprojects/packagefiles/google-benchmark/meson.build |
  tr -d "'" | sort -u | sed 's,.*,src/&.cc,')
stand_in google-benchmark include/ "${sources[@]}"
boost=()
for library in assert config container core intrusive move static_assert throw_exception type_traits; do
  boost+=("libs/$library/include/")
done
stand_in boost "${boost[@]}"

cat >meson.build <<'END'
project('wraps', 'cpp')
foreach name, version : {'boost': '>=1.74', 'catch2': '>=2.13', 'spdlog': '>=1.10',
                         'benchmark': '>=1.7', 'CLI11': '>=2.1', 'nlohmann_json': '>=3.9'}
  assert(dependency(name, version: version).type_name() == 'internal', name)
endforeach
END
meson setup build --wrap-mode=forcefallback
