#include "common/process/cpus.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>

namespace mpb {
namespace {

namespace fs = std::filesystem;

class CpusTest : public testing::Test {
 protected:
  CpusTest() : folder_(fs::path(testing::TempDir()) / ("cpus" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / "a" / "b");
    write(folder_ / "own", "1:cpu:/elsewhere\n0::/a/b\n");
  }
  ~CpusTest() override { fs::remove_all(folder_); }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  [[nodiscard]] unsigned cpus() const { return usable_cpus(folder_, folder_ / "own"); }

  fs::path folder_;
};

TEST_F(CpusTest, AreThoseOfTheAffinity) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(cpus(), static_cast<unsigned>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int i = 0; CPU_COUNT(&one) == 0; ++i) {
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(cpus(), 1U);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
}

TEST_F(CpusTest, AreNoMoreThanTheControlGroupsAllow) {
  const unsigned all = cpus();
  write(folder_ / "cpu.max", "max 100000\n");
  write(folder_ / "a" / "b" / "cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), all);
  write(folder_ / "a" / "cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 1U) << "of a group above its own";
  write(folder_ / "a" / "cpu.max", "150000 100000\n");
  EXPECT_EQ(cpus(), std::min(all, 2U)) << "rounded up";
  write(folder_ / "a" / "cpu.max", "rubbish\n");
  EXPECT_EQ(cpus(), all);
}

}  // namespace
}  // namespace mpb
