#!/usr/bin/env python3
"""recipes.py: runs the recipes for vcpkg and Conan with stand-ins for both, so far as that
shows whether they are right: what they hand on is enough for CMake, what they name is there, what they
set CMake knows, and what is installed is what they count on. Nothing is compiled."""

import fnmatch
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import types

root = pathlib.Path(__file__).resolve().parent.parent.parent
version = re.search(r'BESOM_VERSION "(.+)"', (root / "include/besom/version.h").read_text())[1]


def run(*command, **more):
    ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, **more)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def installed_by_cmake(source, work, options):
    """What CMake installs of `source`, with an empty library, below a new folder."""
    build, prefix = work / "build", work / "prefix"
    said = run("cmake", "-S", source, "-B", build, "-DCMAKE_INSTALL_LIBDIR=lib", *options)
    assert "not used by the project" not in said, said
    (build / "libbesom.a").touch()
    run("cmake", "--install", build, "--prefix", prefix)
    return prefix


# ---- vcpkg -------------------------------------------------------------------------------------

STAND_INS = """
set(PORT besom)
set(CURRENT_PACKAGES_DIR "@WORK@/prefix")
function(vcpkg_check_features)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_FEATURE_OPTIONS" "FEATURES")
  set(options "")
  while(arg_FEATURES)
    list(POP_FRONT arg_FEATURES feature option)
    message("feature ${feature}")
    if(feature STREQUAL "logging")
      list(APPEND options "-D${option}=OFF")
    else()
      list(APPEND options "-D${option}=ON")
    endif()
  endwhile()
  set(${arg_OUT_FEATURE_OPTIONS} "${options}" PARENT_SCOPE)
endfunction()
function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  execute_process(COMMAND @PYTHON@ @SELF@ --install "${arg_SOURCE_PATH}" "@WORK@" ${arg_OPTIONS}
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_install)
endfunction()
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
  if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/${arg_PACKAGE_NAME}Config.cmake")
    message(FATAL_ERROR "no package file in ${arg_CONFIG_PATH}")
  endif()
endfunction()
function(vcpkg_fixup_pkgconfig)
  if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/lib/pkgconfig/besom.pc")
    message(FATAL_ERROR "no besom.pc")
  endif()
endfunction()
function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  foreach(file IN LISTS arg_FILE_LIST)
    if(NOT EXISTS "${file}")
      message(FATAL_ERROR "no ${file}")
    endif()
  endforeach()
endfunction()
"""


def check_vcpkg(work):
    port = root / "packaging/vcpkg/besom"
    manifest = json.loads((port / "vcpkg.json").read_text())
    assert manifest["name"] == port.name and manifest["version"] == version
    assert set(manifest["default-features"]) <= set(manifest["features"])
    names = [item if isinstance(item, str) else item["name"] for item in manifest["dependencies"]]
    assert "vcpkg-cmake" in names and "vcpkg-cmake-config" in names
    assert boost_headers() <= {name for name in names if name.startswith("boost-")}, boost_headers()
    text = STAND_INS.replace("@WORK@", str(work)).replace("@PYTHON@", sys.executable)
    text = text.replace("@SELF@", os.path.abspath(__file__))
    (work / "port.cmake").write_text(text + 'include("%s/portfile.cmake")\n' % port)
    said = run("cmake", "-P", work / "port.cmake")
    assert set(re.findall(r"^feature (\w+)", said, re.M)) == set(manifest["features"]), said
    assert (work / "prefix/share/besom/usage").is_file()
    report = subprocess.run([work / "prefix/tools/besom/besom-report", work / "none"], stderr=subprocess.PIPE, text=True)
    assert "none: No such file" in report.stderr, report
    return files_of(work / "prefix/include")


def boost_headers():
    """The libraries of Boost that the sources name, as vcpkg calls them."""
    names = set()
    for room in ("include", "freelist", "heap", "gc", "inspect", "capi"):
        for path in (root / room).rglob("*.?pp"):
            names |= set(re.findall(r"#include <boost/(\w+)/", path.read_text()))
    return {"boost-" + name for name in names}


# ---- Conan -------------------------------------------------------------------------------------


class Options(dict):
    __getattr__ = dict.__getitem__


class ConanFile:
    def __init__(self, folder, **options):
        self.recipe_folder = str(folder)
        self.options = Options(self.default_options, **options)
        self.settings = Options(os="Linux", arch="x86_64")
        self.required = []
        self.requires = lambda name, **traits: self.required.append(name)
        self.cpp_info = types.SimpleNamespace(properties={})
        self.cpp_info.set_property = self.cpp_info.properties.__setitem__


def copy(_, pattern, src, dst):
    for path in pathlib.Path(src).rglob("*"):
        name = str(path.relative_to(src))
        if path.is_file() and fnmatch.fnmatch(name, pattern):
            target = pathlib.Path(dst, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def conan_modules(seen):
    class Toolchain:
        def __init__(self, _):
            self.cache_variables = seen

        def generate(self):
            pass

    nothing = lambda *arguments, **more: None  # noqa: E731
    return {
        "conan": {"ConanFile": ConanFile},
        "conan.errors": {"ConanInvalidConfiguration": type("Invalid", (Exception,), {})},
        "conan.tools": {},
        "conan.tools.build": {"check_min_cppstd": nothing, "can_run": nothing},
        "conan.tools.cmake": {"CMake": nothing, "CMakeToolchain": Toolchain,
                              "CMakeDeps": lambda _: types.SimpleNamespace(generate=nothing),
                              "cmake_layout": nothing},
        "conan.tools.files": {"copy": copy, "rmdir": nothing,
                              "load": lambda _, path: pathlib.Path(path).read_text()},
    }


def check_conan(work):
    seen = {}
    for name, members in conan_modules(seen).items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)

    def load(path):
        spec = importlib.util.spec_from_file_location(path.parent.name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    folder = root / "packaging/conan"
    recipe_class = load(folder / "conanfile.py").BesomConan
    assert load(folder / "test_package/conanfile.py").BesomTest
    recipe = recipe_class(folder, logging=False, zeal=True)
    recipe.set_version()
    assert recipe.version == version
    recipe.export_sources_folder = str(work / "sources")
    recipe.export_sources()
    recipe.validate()
    recipe.requirements()
    assert len(recipe.required) == 1, recipe.required
    recipe.generate()
    options = ["-D%s=%s" % (name, {True: "ON", False: "OFF"}.get(value, value))
               for name, value in seen.items()]
    prefix = installed_by_cmake(work / "sources", work, options)
    recipe.package_info()
    info = recipe.cpp_info
    assert info.libs == ["besom"] and (prefix / "lib/libbesom.a").is_file()
    flags = run("pkg-config", "--cflags", prefix / "lib/pkgconfig/besom.pc")
    assert all("-D" + define in flags for define in info.defines)
    recipe = recipe_class(folder)
    recipe.requirements()
    recipe.package_info()
    wanted = {name.split("/")[0] for name in recipe.required}
    assert {name.split("::")[0] for name in recipe.cpp_info.requires} <= wanted
    return files_of(prefix / "include")


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def main():
    if shutil.which("cmake") is None:
        print("skipped: cmake is not installed")
        sys.exit(77)
    headers = files_of(root / "include")
    for check in (check_vcpkg, check_conan):
        with tempfile.TemporaryDirectory() as folder:
            found = check(pathlib.Path(folder))
        assert found == headers, set(found) ^ set(headers)
        print(check.__name__, "fine:", len(found), "headers")


if sys.argv[1:2] == ["--install"]:
    installed_by_cmake(sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4:])
else:
    main()
