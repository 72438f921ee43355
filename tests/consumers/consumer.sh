#!/usr/bin/env bash
# Builds and runs a program against Besom as its users would, in a folder of its own.
#   CC=C_COMPILER consumer.sh KIND SOURCE_ROOT BUILD_ROOT PREFIX COMPILER...
# KIND is cmake or pkgconfig; with _c behind it, the program is in C99; or meson, for both; or docs:
# the programs in docs/embedding.md. meson uses the sources as a subproject, the others what `meson install` lays
# down.
set -euo pipefail
kind=$1 source_root=$2 build_root=$3 prefix=$4
shift 4
export CXX="$*"
here=$source_root/tests/consumers

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A compiler cache or flags of the surrounding build are not the user's.
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS DESTDIR

need() {
  command -v "$1" >/dev/null || {
    echo "skipped: $1 is not installed"
    exit 77
  }
}

install_to() {
  meson install -C "$build_root" --no-rebuild --quiet --destdir "$1"
}

# After this, pkg-config knows the installed library and no other.
use_pkg_config() {
  need pkg-config
  install_to "$work/root"
  PKG_CONFIG_PATH=$(find "$work/root" -name besom.pc -printf '%h\n' -quit)
  PKG_CONFIG_SYSROOT_DIR=$work/root LD_LIBRARY_PATH=$PKG_CONFIG_PATH/..
  export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH
  pkg-config --print-errors --exists 'besom >= 0.1'
}

# build SOURCE PROGRAM: as a Makefile would. --static, as the library is static by default.
build() {
  local compiler="$CXX -std=c++20"
  case $1 in *.c) compiler="$CC -std=c99 -Wpedantic -Werror" ;; esac
  # shellcheck disable=SC2046,SC2086 # words are meant to be split
  $compiler "$1" -o "$2" $(pkg-config --static --cflags --libs besom)
}

cd "$work"
case $kind in
  meson)
    need meson
    cp "$here"/main.c* "$here/$kind/meson.build" .
    mkdir subprojects
    ln -s "$source_root" subprojects/besom
    # The shared library, for a change: what it hides and should not, fails to link. The other
    # consumers take the static one.
    meson setup build --wrap-mode=nodownload -Dbesom:default_library=shared
    # Nothing but the consumer's own tests.
    tests=$(meson introspect build --tests | grep -o '"suite"' | wc -l)
    [ "$tests" -eq 2 ] || {
      echo "as a subproject Besom brings $((tests - 2)) tests"
      exit 1
    }
    meson compile -C build
    meson test -C build --verbose
    ;;
  cmake | cmake_c)
    need cmake
    install_to "$work/root"
    cp "$here"/main.c* "$here/$kind/CMakeLists.txt" .
    # Moved away from where it was installed: the package must find itself.
    mv "$work/root$prefix" "$work/moved"
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_BUILD_TYPE=Release
    cmake --build build
    build/consumer
    ;;
  pkgconfig | pkgconfig_c)
    use_pkg_config
    case $kind in
      *_c) build "$here/main.c" consumer ;;
      *) build "$here/main.cpp" consumer ;;
    esac
    ./consumer
    ;;
  docs)
    use_pkg_config
    # A line `<!-- program: NAME -->` stands before each block that is a whole program.
    awk '/^<!-- program: / { file = $3; next }
         /^```/ { inside = !inside && file != ""; if (!inside) file = ""; next }
         inside { print > file }' "$source_root/docs/embedding.md"
    programs=0
    for source in *.c *.cpp; do
      echo "$source"
      build "$source" program
      ./program
      BESOM_OPTIONS=zeal=alloc:1 ./program
      programs=$((programs + 1))
    done
    [ "$programs" -eq 7 ]
    ;;
  *)
    echo "no such consumer: $kind" >&2
    exit 64
    ;;
esac
