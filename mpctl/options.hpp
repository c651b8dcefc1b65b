// mpctl's command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "common/base/error.hpp"
#include "common/base/units.hpp"

namespace mpb::ctl {

inline constexpr const char* kDefaultSocket = "/run/mpbroker/control.sock";
inline constexpr const char* kSocketVariable = "MPBROKER_CONTROL_SOCKET";

enum class Mode : std::uint8_t {
  kAsk,     // one request, one answer
  kStatus,  // the same; the answer becomes tables
  kMetrics,
  kHealth,
  kStreams,
  kUpstreams,
  kHooks,
  kAnswers,  // of workers, to a letter
  kSend,     // a letter; who does not get it
  kTable,
  kWatch,
  kEvents
};

struct Options {
  std::string print;  // of --help or --version: then nothing else is set
  Mode mode = Mode::kAsk;
  std::string socket;
  boost::json::object request;
  bool json = false;
  std::string prefix;  // of keys that are shown
  Duration interval{0};
  std::uint64_t count = 0;  // tables of watch; 0: without end

  /// The broker alone answers, and soon.
  [[nodiscard]] bool asks_status() const {
    return mode == Mode::kStatus || mode == Mode::kMetrics || mode == Mode::kHealth ||
           mode == Mode::kWatch;
  }
};

/// `arguments` without the program's name; `socket_variable` is the environment's word, or null.
Result<Options> read_options(const std::vector<std::string>& arguments,
                             const char* socket_variable);

}  // namespace mpb::ctl
