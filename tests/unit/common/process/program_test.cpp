#include "common/process/program.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace mpb {
namespace {

TEST(Program, IsFoundBesideThisOne) {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  const auto found = find_program(self.filename());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(*found, self.string());
}

TEST(Program, IsFoundInPathOtherwise) {
  const auto found = find_program("sh");
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_TRUE(found->ends_with("/sh")) << *found;
  EXPECT_EQ(why_not_executable(*found), "");
}

TEST(Program, ThatIsNowhereIsNamedWithThePlaces) {
  const auto found = find_program("no-such-program");
  ASSERT_FALSE(found);
  const std::string& why = found.error().text;
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_NE(why.find("the program no-such-program"), std::string::npos) << why;
  EXPECT_NE(why.find(self.parent_path().string()), std::string::npos) << why;
  EXPECT_NE(why.find("PATH"), std::string::npos) << why;
}

TEST(Program, WhyItCannotBeExecuted) {
  EXPECT_EQ(why_not_executable("sh"), "");
  EXPECT_EQ(why_not_executable("/bin/sh"), "");
  EXPECT_EQ(why_not_executable("/nonexistent/program"), "No such file or directory");
  EXPECT_EQ(why_not_executable("/"), "Permission denied");
  EXPECT_NE(why_not_executable("no-such-program"), "");
}

}  // namespace
}  // namespace mpb
