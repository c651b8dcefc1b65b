#include "bench/load/problems.hpp"

namespace mpb::load {

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

void add_problems(Buffer& out, std::span<const ProblemName> names,
                  std::span<const std::uint64_t> counts, const std::vector<std::string>& samples) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (counts[i] > 0) add(out, "problem   {:>8} {}\n", counts[i], names[i].text);
  }
  for (const std::string& sample : samples) add(out, "such as   {}\n", sample);
}

boost::json::object problems_object(std::span<const ProblemName> names,
                                    std::span<const std::uint64_t> counts) {
  boost::json::object object;
  for (std::size_t i = 0; i < names.size(); ++i) object[names[i].key] = counts[i];
  return object;
}

}  // namespace mpb::load
