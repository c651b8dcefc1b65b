#include "broker/operator/event_log.hpp"

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

std::string as_text(const EventField& field) {
  if (field.is_duration) return format_duration(Duration{field.value.get_int64()});
  return field.value.is_string() ? std::string(field.value.get_string())
                                 : boost::json::serialize(field.value);
}

}  // namespace

void EventLog::emit(LogLevel level, std::string_view event, std::span<const EventField> fields) {
  if (log_enabled(level)) {
    LogLine line(level, event);
    for (const EventField& field : fields) line(field.key, as_text(field));
  }
  if (!publish_ || !is_watched_()) return;
  boost::json::object told{{"time", utc_now()}, {"event", event}};
  for (const EventField& field : fields) {
    const std::string name = std::string(field.key) + (field.is_duration ? "_ms" : "");
    told[name] = field.value;
  }
  publish_(told);
}

}  // namespace mpb
