// Reads a load client's command line that is given as one text, its arguments parted by blanks.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/option_line.hpp"

namespace mpb::test {

std::vector<std::string> words(const std::string& text);

/// The settings that `read`, a read_command_line, makes of `text`; an error fails the test.
template <class Settings>
Settings settings_of(Result<ProgramLine<Settings>> (*read)(const std::vector<std::string>&),
                     const std::string& text) {
  const auto line = read(words(text));
  if (!line) ADD_FAILURE() << text << ": " << line.error().text;
  return line ? line->settings : Settings();
}

/// The text of the error, which must be of kind kUsage, or "no error".
template <class Settings>
std::string error_of(Result<ProgramLine<Settings>> (*read)(const std::vector<std::string>&),
                     const std::string& text) {
  const auto line = read(words(text));
  if (line) return "no error";
  EXPECT_EQ(line.error().kind, ErrorKind::kUsage);
  return line.error().text;
}

}  // namespace mpb::test
