// Every row of docs/security.md names a test, and the tests that it names are there.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace mpb {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return (std::ostringstream() << file.rdbuf()).str();
}

template <class Take>
void for_each_match(const std::string& text, const std::regex& pattern, Take&& take) {
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) take(*at);
}

std::set<std::string> all_tests() {
  const std::regex pattern(R"(\nTEST(?:_F|_P)?\((\w+),\s*(\w+)\))");
  std::set<std::string> tests;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(MPB_SOURCE_DIR) / "tests")) {
    if (entry.path().extension() != ".cpp") continue;
    for_each_match(read(entry.path()), pattern, [&tests](const std::smatch& match) {
      tests.insert(match[1].str() + "." + match[2].str());
    });
  }
  return tests;
}

std::set<std::string> tests_named_in(const std::string& text) {
  std::set<std::string> tests;
  for_each_match(text, std::regex(R"(`([A-Z]\w+\.[A-Z]\w+)`)"),
                 [&tests](const std::smatch& match) { tests.insert(match[1].str()); });
  return tests;
}

TEST(SecurityDocument, NamesTestsThatAreThere) {
  const auto known = all_tests();
  for (const std::string& test :
       tests_named_in(read(fs::path(MPB_SOURCE_DIR) / "docs/security.md"))) {
    EXPECT_TRUE(known.contains(test)) << test;
  }
}

TEST(SecurityDocument, HasATestForEveryRow) {
  std::istringstream lines(read(fs::path(MPB_SOURCE_DIR) / "docs/security.md"));
  bool about_tests = false;  // within a table that has a column for them
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("|")) {
      about_tests = false;
    } else if (line.ends_with("| Test |")) {
      about_tests = true;
    } else if (about_tests && !line.starts_with("|---")) {
      const std::string column = line.substr(line.rfind('|', line.size() - 2));
      EXPECT_FALSE(tests_named_in(column).empty()) << line;
      ++rows;
    }
  }
  EXPECT_GT(rows, 20);
}

}  // namespace
}  // namespace mpb
