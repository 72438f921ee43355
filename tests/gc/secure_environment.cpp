/// BESOM_OPTIONS has no say in a program that runs with more rights than its user. As root this
/// program runs a copy of itself, set-user-ID, as nobody. Exit code 77, which Meson takes for
/// skipped, where that cannot be done.

#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <besom/heap.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace {

constexpr int kSkipped = 77;
constexpr unsigned kNobody = 65534;

/// What BESOM_OPTIONS=zeal=alloc:3 made of a heap that sets nothing.
std::uint32_t zeal_of_heap() {
  const auto heap = besom::Heap::create({.heap_max = 1 << 20, .reserve = 1 << 20});
  if (!heap) {
    std::fprintf(stderr, "%s\n", heap.error().message().c_str());
    std::exit(1);
  }
  return (*heap)->options().zeal.collect_every;
}

int run_as_nobody(const char* program) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(kSkipped);
    execl(program, program, "privileged", static_cast<char*>(nullptr));
    _exit(kSkipped);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 1;
  return WEXITSTATUS(status);
}

}  // namespace

int main(int argc, char**) {
  if (argc > 1) {
    // Also where the folder's file system ignores the bit.
    if (getauxval(AT_SECURE) == 0) return kSkipped;
    return zeal_of_heap() == 0 ? 0 : 1;
  }
  setenv("BESOM_OPTIONS", "zeal=alloc:3", 1);
  if (zeal_of_heap() != 3) return 1;
  if (geteuid() != 0) return kSkipped;
  std::string folder = (std::filesystem::temp_directory_path() / "besom.XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr || chmod(folder.c_str(), 0755) != 0) return kSkipped;
  const std::string copy = folder + "/copy";
  std::filesystem::copy_file("/proc/self/exe", copy);
  const int result = chmod(copy.c_str(), 04755) == 0 ? run_as_nobody(copy.c_str()) : kSkipped;
  std::filesystem::remove_all(folder);
  return result;
}
