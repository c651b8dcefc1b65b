#include "tests/support/command_line_reading.hpp"

#include <sstream>

namespace mpb::test {

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

}  // namespace mpb::test
