#!/usr/bin/env bash
# Builds and runs a program against Besom as its users would, in a folder of its own.
#   consumer.sh meson|cmake|pkgconfig SOURCE_ROOT BUILD_ROOT PREFIX COMPILER...
# cmake and pkgconfig use what `meson install` lays down; meson uses the sources as a subproject.
set -euo pipefail
kind=$1 source_root=$2 build_root=$3 prefix=$4
shift 4
export CXX="$*"
here=$source_root/tests/consumers

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A compiler cache or flags of the surrounding build are not the user's.
unset CXXFLAGS CPPFLAGS LDFLAGS DESTDIR

need() {
  command -v "$1" >/dev/null || {
    echo "skipped: $1 is not installed"
    exit 77
  }
}

install_to() {
  meson install -C "$build_root" --no-rebuild --quiet --destdir "$1"
}

find_pc() {
  find "$1" -name besom.pc -printf '%h\n' -quit
}

cd "$work"
case $kind in
  meson)
    need meson
    cp "$here/main.cpp" "$here/meson/meson.build" .
    mkdir subprojects
    ln -s "$source_root" subprojects/besom
    # The shared library, for a change: what it hides and should not, fails to link. The other
    # consumers take the static one.
    meson setup build --wrap-mode=nodownload -Dbesom:default_library=shared
    # Nothing but the consumer's own test.
    tests=$(meson introspect build --tests | grep -o '"suite"' | wc -l)
    [ "$tests" -eq 1 ] || {
      echo "as a subproject Besom brings $((tests - 1)) tests"
      exit 1
    }
    meson compile -C build
    meson test -C build --verbose
    ;;
  cmake)
    need cmake
    install_to "$work/root"
    cp "$here/main.cpp" "$here/cmake/CMakeLists.txt" .
    # Moved away from where it was installed: the package must find itself.
    mv "$work/root$prefix" "$work/moved"
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_BUILD_TYPE=Release
    cmake --build build
    build/consumer
    ;;
  pkgconfig)
    need pkg-config
    install_to "$work/root"
    cp "$here/main.cpp" .
    PKG_CONFIG_PATH=$(find_pc "$work/root") PKG_CONFIG_SYSROOT_DIR=$work/root
    export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
    LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
    export LD_LIBRARY_PATH
    pkg-config --print-errors --exists 'besom >= 0.1'
    # As a Makefile would. --static, as the library is static by default.
    # shellcheck disable=SC2046,SC2086 # words are meant to be split
    $CXX -std=c++20 main.cpp -o consumer $(pkg-config --static --cflags --libs besom)
    ./consumer
    ;;
  *)
    echo "no such consumer: $kind" >&2
    exit 64
    ;;
esac
