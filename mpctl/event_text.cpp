#include "mpctl/event_text.hpp"

#include <string_view>

#include <boost/json/serialize.hpp>

#include "common/base/plain_text.hpp"
#include "common/log/log.hpp"

namespace mpb::ctl {

std::string event_text(const boost::json::object& event) {
  std::string line;
  for (const auto& member : event) {
    const boost::json::value& value = member.value();
    if (value.is_string()) {
      append_logfmt(line, member.key(), value.get_string());
    } else {
      append_logfmt(line, member.key(), boost::json::serialize(value));
    }
  }
  return plain_text(line);
}

}  // namespace mpb::ctl
