// Whether the service is well, for probes.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

namespace mpb::ctl {

struct Health {
  int exit_status = 0;  // 0: well. 1: something is wrong. 2: nobody is online, or no answer
  std::string line;     // safe for a terminal
};

Health health_of(const boost::json::object& status);
/// The broker cannot be asked.
Health no_answer(std::string_view why);

}  // namespace mpb::ctl
