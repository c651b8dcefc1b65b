// What a fuzz target requires: a violation is a finding in every build type.
#pragma once

#include <cstdio>
#include <cstdlib>

#define MPB_FUZZ_REQUIRE(condition)                                                  \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: violated: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                  \
    }                                                                                \
  } while (false)
