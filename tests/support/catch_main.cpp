/// The main program of every Catch2 test: prints the run's random seed before the tests and how to
/// replay after a failure. Works with Catch2 2 and 3 (link Catch2::Catch2, not Catch2WithMain).

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <cinttypes>
#include <cstdio>

#include "tests/support/seed.hpp"

int main(int argc, char** argv) {
  const std::uint64_t seed = besom::test::test_seed();
  // To stderr: stdout may be a report that a program reads.
  std::fprintf(stderr, "BESOM_TEST_SEED=0x%" PRIx64 "\n", seed);
  const int status = Catch::Session().run(argc, argv);
  if (status != 0) {
    std::fprintf(stderr, "failed; to replay: BESOM_TEST_SEED=0x%" PRIx64 " %s\n", seed, argv[0]);
  }
  return status;
}
