#include <gtest/gtest.h>

#include "tests/integration/harness/broker_process.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!GTEST_FLAG_GET(list_tests)) mpb::test::prepare_test_process();
  return RUN_ALL_TESTS();
}
