#include "tests/support/open_metrics_reader.hpp"

#include <regex>
#include <sstream>
#include <stdexcept>

namespace mpb::test {
namespace {

const std::regex kMetadata(R"re(# (TYPE|UNIT|HELP) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*))re");
const std::regex kSample(
    R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*")re"
    R"re((,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*")*\})? (-?[0-9][0-9.e+-]*))re");
const std::regex kHelp(R"re(([^"\\]|\\["\\n])*)re");

class Reader {
 public:
  MetricsRead read(std::string_view text) {
    std::istringstream lines{std::string(text)};
    bool ended = false;
    for (std::string line; std::getline(lines, line);) {
      require(!ended, line, "something behind EOF");
      ended = line == "# EOF";
      std::smatch match;
      if (ended) continue;
      if (std::regex_match(line, match, kMetadata)) {
        read_metadata(line, match[1], match[2], match[3]);
      } else {
        require(std::regex_match(line, match, kSample), line, "neither metadata nor a sample");
        read_sample(line, match[1], match[1].str() + match[2].str(), std::stod(match[6]));
      }
    }
    require(ended && text.ends_with('\n'), "", "no EOF");
    return std::move(read_);
  }

 private:
  static void require(bool condition, const std::string& line, const char* why) {
    if (!condition) throw std::runtime_error(std::string(why) + ": " + line);
  }

  void read_metadata(const std::string& line, const std::string& kind, const std::string& name,
                     const std::string& value) {
    if (kind == "TYPE") {
      require(read_.types.emplace(name, value).second, line, "a family that was there before");
      family_ = name;
      return;
    }
    require(name == family_, line, "of another family");
    if (kind == "HELP") return require(std::regex_match(value, kHelp), line, "not escaped");
    require(name.ends_with("_" + value), line, "the name does not end with its unit");
    read_.units[name] = value;
  }

  void read_sample(const std::string& line, const std::string& name, const std::string& series,
                   double value) {
    const std::string& type = read_.types[family_];
    const std::string suffix = type == "counter" ? "_total" : type == "info" ? "_info" : "";
    require(name == family_ + suffix, line, "of no family, or of another type");
    require(read_.samples.emplace(series, value).second, line, "twice");
    if (type == "counter") read_.counters[series] = value;
  }

  MetricsRead read_;
  std::string family_;
};

}  // namespace

MetricsRead read_metrics(std::string_view text) {
  return Reader().read(text);
}

}  // namespace mpb::test
