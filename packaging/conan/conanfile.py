"""Besom for Conan 2, of the tree that this lies in: conan create packaging/conan"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.0"
# What CMake builds the library of, and besom-report.
FILES = ("CMakeLists.txt", "LICENSE", "NOTICE", "library.txt", "include/*", "freelist/*", "heap/*",
         "gc/*", "inspect/*", "capi/*", "packaging/*.in",
         "report/*")


class BesomConan(ConanFile):
    name = "besom"
    description = "Garbage-collected heap for language runtimes"
    license = "Apache-2.0 WITH LLVM-exception"
    topics = ("garbage-collection", "memory", "interpreter")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "logging": [True, False],
               "zeal": [True, False]}
    default_options = {"shared": False, "fPIC": True, "logging": True, "zeal": False}
    implements = ["auto_shared_fpic"]

    def _tree(self):
        return os.path.normpath(os.path.join(self.recipe_folder, "..", ".."))

    def set_version(self):
        text = load(self, os.path.join(self._tree(), "include", "besom", "version.h"))
        self.version = re.search(r'#define BESOM_VERSION "(.+)"', text).group(1)

    def export_sources(self):
        for pattern in FILES:
            copy(self, pattern, src=self._tree(), dst=self.export_sources_folder)

    def requirements(self):
        # Its headers, in the library's own files alone.
        self.requires("boost/[>=1.74 <2]", headers=True, libs=False, transitive_headers=False)
        if self.options.logging:
            self.requires("spdlog/[>=1.10 <2]")

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.arch not in ("x86_64", "armv8"):
            raise ConanInvalidConfiguration("Besom takes a 64-bit machine")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["BESOM_LOGGING"] = "ON" if self.options.logging else "OFF"
        toolchain.cache_variables["BESOM_ZEAL"] = bool(self.options.zeal)
        toolchain.cache_variables["BESOM_INSTALL"] = True
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "NOTICE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        # Conan writes its own.
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.libs = ["besom"]
        self.cpp_info.set_property("cmake_file_name", "besom")
        self.cpp_info.set_property("cmake_target_name", "besom::besom")
        self.cpp_info.set_property("pkg_config_name", "besom")
        if self.options.zeal:
            self.cpp_info.defines = ["BESOM_ZEAL"]
        if self.options.logging:
            self.cpp_info.requires = ["spdlog::spdlog"]
        else:
            self.cpp_info.requires = []
        if self.settings.os == "Linux":
            self.cpp_info.system_libs = ["m"]
