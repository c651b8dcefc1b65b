// The request that a command stands for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "common/base/error.hpp"
#include "common/base/units.hpp"

namespace mpb::ctl {

struct RequestWords {
  std::string command;
  std::vector<std::string> arguments;
  std::optional<std::string> remove;    // --remove
  std::optional<std::string> listener;  // --listener
  std::vector<std::string> unset{};     // --unset
  std::optional<Duration> timeout{};    // --timeout
  std::optional<Duration> ttl{};        // --for
};

/// Refuses what no broker could take; what this broker takes is its own to say.
Result<boost::json::object> build_request(const RequestWords& words);

}  // namespace mpb::ctl
