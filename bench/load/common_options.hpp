// The part of a load client's command line that all of them have.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "bench/load/connector.hpp"
#include "common/base/choice.hpp"
#include "common/base/error.hpp"
#include "common/config/option_line.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::load {

/// Where clients go, and how their connections begin and end.
struct TargetSettings {
  Endpoint target;
  unsigned sources = 0;  // loopback source addresses; 0: the kernel's choice
  bool reset_on_close = false;
  std::string json_file;  // of the report; "-": standard output
};

inline constexpr std::string_view kTargetGroup = "Target";
inline constexpr std::string_view kOutputGroup = "Output";
inline constexpr std::array<Choice<bool>, 2> kCloseWays{{{"fin", false}, {"rst", true}}};

/// An endpoint, or localhost:PORT.
Result<Endpoint> read_target(std::string_view text);
/// Clients a second.
Result<double> read_rate(std::string_view text);

// Settings has a TargetSettings as its base.

template <class Settings>
constexpr Option<Settings> sources_option() {
  return {{"sources", kTargetGroup, "N", "", "as many as the local ports need",
           "rotate over N loopback source addresses from 127.0.0.1 on"},
          into<Whole<1, kMaxSources>, &Settings::sources>};
}
template <class Settings>
constexpr Option<Settings> close_option() {
  return {{"close", kTargetGroup, "fin|rst", "fin", "",
           "how a client ends its connection: rst leaves no port in TIME_WAIT"},
          into<Word<kCloseWays>, &Settings::reset_on_close>};
}
template <class Settings>
constexpr Option<Settings> json_option() {
  return {
      {"json", kOutputGroup, "FILE", "", "", "write the report as JSON too; - is standard output"},
      into<Text<read_path>, &Settings::json_file>};
}

/// Finds the target: --connect's, which is in `settings` then, or HOST PORT, the first arguments of
/// `line`, of which there are as many as one of `counts`. `usage` says what is expected.
Status settle_target(TargetSettings& settings, const OptionLine& line,
                     std::initializer_list<std::size_t> counts, std::string_view usage);
/// Whether this process, which may have `available` descriptors, has those that `clients` at once
/// need.
Status check_descriptors(std::string_view program, std::uint64_t clients, std::uint64_t needed,
                         std::uint64_t available);
/// --sources is for a target in 127.0.0.0/8 only.
Status check_sources(const TargetSettings& settings, const OptionLine& line);

}  // namespace mpb::load
