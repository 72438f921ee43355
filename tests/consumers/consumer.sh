#!/usr/bin/env bash
# Builds and runs a program against Besom as its users would, in a folder of its own.
#   CC=C_COMPILER consumer.sh KIND SOURCE_ROOT BUILD_ROOT PREFIX COMPILER...
# KIND:
#   cmake, pkgconfig     with what `meson install` lays down; with _c behind it, the program is in C99
#   meson                a subproject, in C++ and C
#   cmake_subdirectory   likewise: configured, and its flags held against Meson's
#   cmake_fetch          likewise, fetched as an archive: configured, and a part of it compiled
#   both                 the packages of -Ddefault_library=both
#   debian               Debian's packages, unpacked into a folder
#   clash                a program whose own headers are called as ours are inside
#   spdlog, zeal         programs with another spdlog, and with zeal or without where we are not
#   docs                 the programs in docs/embedding.md
#   learn                those in the chapters of docs/learn, and what they print
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
  pkg-config --print-errors --exists 'besom >= 0.2'
}

# build SOURCE PROGRAM OPTION...: as a Makefile would. --static, as the library is static by default.
build() {
  local compiler="$CXX -std=c++20"
  case $1 in *.c) compiler="$CC -std=c99 -Wpedantic -Werror" ;; esac
  # shellcheck disable=SC2046,SC2086 # words are meant to be split
  $compiler "$1" -o "$2" $(pkg-config --static --cflags --libs besom) "${@:3}"
}

# programs_of PAGE...: a line `<!-- program: NAME -->` stands before each block that is a whole program,
# `<!-- output: NAME -->` before what it prints, which goes into NAME.expected.
programs_of() {
  awk '/^<!-- program: / { file = $3; next }
       /^<!-- output: / { file = $3 ".expected"; next }
       /^```/ { inside = !inside && file != ""; if (!inside) file = ""; next }
       inside { print > file }' "$@"
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
    # It is compiled to be linked, not to be fast: -O0 stands behind the -O2 that a subproject has.
    CFLAGS=-O0 CXXFLAGS=-O0 meson setup build --wrap-mode=nodownload -Ddebug=false -Dbesom:default_library=shared
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
      *_c) main=main.c ;;
      *) main=main.cpp ;;
    esac
    build "$here/$main" consumer
    ./consumer
    # The same for who leaves the folder out, and counts on more.
    sed -E 's#<besom/(besom\.h)#<\1#' "$here/$main" >"$main"
    [ "$main" = main.c ] || echo 'static_assert(sizeof(std::unique_ptr<besom::Heap>) != 0);' >>"$main"
    grep -q '<besom\.h' "$main"
    build "$main" consumer
    ./consumer
    ;;
  cmake_subdirectory)
    need cmake
    need ninja
    cp "$here"/main.cpp "$here/$kind/CMakeLists.txt" .
    cmake -S . -B build -G Ninja -DBESOM="$source_root" -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
    ninja -C "$build_root" -t compdb >meson.json
    python3 "$here/same_flags.py" "$source_root" build/compile_commands.json meson.json
    # What is installed are the same files, but for the library itself.
    : >build/besom/libbesom.a
    cmake --install build/besom --prefix "$work/by_cmake" >/dev/null
    install_to "$work/root"
    diff -r "$work/by_cmake/include" "$work/root$prefix/include"
    files_in() { find "$1" -type f ! -path '*/include/*' -printf '%f\n' | sort; }
    diff <(files_in "$work/by_cmake") <(files_in "$work/root$prefix")
    ;;
  cmake_fetch)
    need cmake
    need ninja
    cp "$here"/main.cpp "$here/$kind/CMakeLists.txt" .
    tar --create --gzip --file=besom.tar.gz --directory="$source_root" --exclude=./build --exclude=./.git .
    cmake -S . -B build -G Ninja -DBESOM_ARCHIVE="$work/besom.tar.gz" -DCMAKE_BUILD_TYPE=Release
    # The library's sources are compiled elsewhere: here, one of them.
    ninja -C build CMakeFiles/consumer.dir/main.cpp.o _deps/besom-build/CMakeFiles/besom.dir/heap/error.cpp.o
    ;;
  both)
    need cmake
    # The packages of both libraries need no other than those that are built.
    meson setup both "$source_root" --prefix="$work/root" --libdir=lib -Ddefault_library=both \
      -Dtests=disabled -Dexamples=disabled -Dbench=disabled >/dev/null
    mkdir -p root/lib/pkgconfig root/lib/cmake/besom root/include
    cp both/packaging/besom.pc root/lib/pkgconfig
    find both -name 'besomConfig*.cmake' -exec cp {} root/lib/cmake/besom ';'
    cp "$build_root/libbesom.a" root/lib
    cp -r "$source_root/include/besom" root/include
    export PKG_CONFIG_PATH=$work/root/lib/pkgconfig
    shared=$(grep -o 'libbesom\.so[0-9.]*' root/lib/cmake/besom/besomConfig.cmake | head -n 1)
    # shellcheck disable=SC2046,SC2086
    $CXX -shared -o "root/lib/$shared" -Wl,--whole-archive root/lib/libbesom.a \
      -Wl,--no-whole-archive $(pkg-config --libs spdlog 2>/dev/null || true)
    ln -s "$shared" root/lib/libbesom.so
    # As a C program asks for the static one among both.
    # shellcheck disable=SC2046,SC2086
    $CC -std=c99 "$here/main.c" -o static $(pkg-config --cflags besom) -L root/lib -l:libbesom.a \
      $(pkg-config --static --libs besom | tr ' ' '\n' | grep -vx -e -lbesom)
    ./static
    # shellcheck disable=SC2046,SC2086
    $CC -std=c99 "$here/main.c" -o shared $(pkg-config --cflags --libs besom)
    LD_LIBRARY_PATH=root/lib ./shared
    cp "$here/main.c" "$here/$kind/CMakeLists.txt" .
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$work/root"
    cmake --build build
    build/static
    build/shared
    build/default
    ldd build/default | grep libbesom
    if ldd build/static | grep libbesom; then exit 1; fi
    ;;
  debian)
    need dpkg-buildpackage
    need dpkg-shlibdeps
    pkg-config --exists spdlog || {
      echo 'skipped: spdlog is not installed'
      exit 77
    }
    # All but compiling, which is done elsewhere.
    "$source_root/scripts/debian" --prepare "$work/packages"
    (cd packages/besom && debian/rules configure >/dev/null)
    made=packages/besom/build/debian
    cp "$build_root/libbesom.a" $made
    # shellcheck disable=SC2046,SC2086
    $CXX -shared -o $made/libbesom.so.0.2.0 -Wl,-soname,libbesom.so.0.2 -Wl,--whole-archive \
      $made/libbesom.a -Wl,--no-whole-archive $(pkg-config --libs spdlog)
    ln -sf libbesom.so.0.2.0 $made/libbesom.so.0.2
    ln -sf libbesom.so.0.2 $made/libbesom.so
    touch $made/built
    "$source_root/scripts/debian" --build "$work/packages"
    for package in packages/*.deb; do
      case $package in *dbgsym*) continue ;; esac
      dpkg-deb --info "$package"
      dpkg-deb --extract "$package" root
    done
    # What the packages need is what they say, and nothing lies where it should not.
    dpkg-deb --field packages/libbesom0.2_*.deb Depends | grep -E 'libc6 .*libspdlog|libspdlog.*libc6'
    dpkg-deb --field packages/libbesom-dev_*.deb Depends | grep 'libbesom0.2 (= 0.2.0)'
    [ "$(find root -mindepth 1 -maxdepth 2 | sort | tr '\n' ' ')" = \
      'root/usr root/usr/bin root/usr/include root/usr/lib root/usr/share ' ]
    diff -r "$source_root/include/besom" root/usr/include/besom
    { root/usr/bin/besom-report nothing 2>&1 || true; } | grep 'nothing: No such file'
    (cd root && cat ../packages/besom/debian/*/DEBIAN/md5sums | md5sum --check --quiet)
    # The shared library by pkg-config, the static one as well.
    export PKG_CONFIG_SYSROOT_DIR=$work/root
    PKG_CONFIG_PATH=$(find "$work/root" -name besom.pc -printf '%h\n' -quit)
    export PKG_CONFIG_PATH LD_LIBRARY_PATH=$PKG_CONFIG_PATH/..
    # shellcheck disable=SC2046,SC2086
    $CXX -std=c++20 "$here/main.cpp" -o consumer $(pkg-config --cflags --libs besom)
    ./consumer
    ldd consumer | grep libbesom.so.0.2
    # shellcheck disable=SC2046,SC2086
    $CC -std=c99 "$here/main.c" -o static $(pkg-config --cflags besom) -L"$PKG_CONFIG_PATH/.." -l:libbesom.a \
      $(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs besom | tr ' ' '\n' | grep -vx -e -lbesom)
    ./static
    ;;
  clash)
    # Every header of ours, as if the includer had one of that name in each of our rooms.
    rooms=(. detail freelist heap gc gc/roots gc/mark gc/weak gc/sweep inspect capi scheme common)
    mkdir own
    (cd own && mkdir -p "${rooms[@]}")
    (cd "$source_root" && find include freelist heap gc inspect capi scheme examples -name '*.hpp' -o -name '*.h') |
      sed 's,.*/,,' | sort -u | while read -r name; do
      for room in "${rooms[@]}"; do
        echo "#error \"$room/$name is the consumer's own\"" >"own/$room/$name"
      done
    done
    cp -r "$here/clash/." own
    for program in own/main.cpp "$here/main.c"; do
      compiler="$CXX -std=c++20"
      case $program in *.c) compiler="$CC -std=c99" ;; esac
      # shellcheck disable=SC2086
      $compiler -fsyntax-only -Iown -I"$source_root/include" "$program"
      # shellcheck disable=SC2086
      $compiler -fsyntax-only -I"$source_root/include" -Iown "$program"
    done
    ;;
  spdlog)
    use_pkg_config
    echo '#include <spdlog/spdlog.h>' | $CXX -x c++ -E - >/dev/null 2>&1 || {
      echo 'skipped: spdlog is not installed'
      exit 77
    }
    # What a program says of its own spdlog is what counts, in either kind of library.
    if pkg-config --static --cflags besom | grep -i spdlog; then exit 1; fi
    ;;
  zeal)
    use_pkg_config
    other=-DBESOM_ZEAL
    case $(pkg-config --cflags besom) in *BESOM_ZEAL*) other=-UBESOM_ZEAL ;; esac
    if build "$here/main.cpp" consumer $other 2>log; then
      echo 'a program with zeal and a library without link'
      exit 1
    fi
    grep 'besom::detail::kLibraryIsBuiltWith' log
    ;;
  docs)
    use_pkg_config
    programs_of "$source_root/docs/embedding.md"
    programs=0
    for source in *.c *.cpp; do
      echo "$source"
      build "$source" program
      ./program
      # These two allocate so much that each place comes with every seventh as well.
      case $source in
        scan.c | interpreter.cpp) every=7 ;;
        *) every=1 ;;
      esac
      BESOM_OPTIONS=zeal=alloc:$every ./program
      programs=$((programs + 1))
    done
    [ "$programs" -eq 10 ]
    ;;
  learn)
    use_pkg_config
    # Each chapter has one program.
    for page in "$source_root"/docs/learn/[0-9]*.md; do
      programs_of "$page"
      source=$(echo *.cpp)
      echo "$page: $source"
      build "$source" program
      for options in '' zeal=alloc:1; do
        BESOM_OPTIONS=$options ./program >printed
        diff "$source.expected" printed
      done
      rm ./*.cpp ./*.expected
    done
    ;;
  *)
    echo "no such consumer: $kind" >&2
    exit 64
    ;;
esac
