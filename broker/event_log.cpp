#include "broker/event_log.hpp"

#include <fmt/chrono.h>

#include <chrono>

#include <boost/json/serialize.hpp>

namespace mpb {
namespace {

std::string utc_now() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms.count() % 1000);
}

std::string as_text(const boost::json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value);
}

}  // namespace

void EventLog::emit(LogLevel level, std::string_view event, std::span<const EventField> fields) {
  {
    LogLine line(level, event);
    for (const auto& [key, value] : fields) line(key, as_text(value));
  }
  if (!publish_) return;
  boost::json::object told{{"time", utc_now()}, {"event", event}};
  for (const auto& [key, value] : fields) told[key] = value;
  publish_(told);
}

}  // namespace mpb
