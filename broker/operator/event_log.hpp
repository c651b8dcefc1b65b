// What happens to workers and to the broker itself, told to the log and to whoever watches
// (mpctl events).
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "common/base/units.hpp"
#include "common/log/log.hpp"

namespace mpb {

/// One field of an event: a number, a boolean, a text or a duration.
struct EventField {
  /// The log has it as "10s", events as a number of milliseconds, with "_ms" behind the name.
  EventField(std::string_view name, Duration field)
      : key(name), value(field.count()), is_duration(true) {}
  template <class T>
  EventField(std::string_view name, const T& field) : key(name) {
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      value = std::string_view(field);
    } else {
      value = field;
    }
  }
  std::string_view key;
  boost::json::value value;
  bool is_duration = false;
};

class EventLog {
 public:
  /// `publish` gets every event as {"time":...,"event":...,fields}, while `is_watched` says that
  /// somebody wants to know.
  void set_publisher(std::function<void(const boost::json::object&)> publish,
                     std::function<bool()> is_watched) {
    publish_ = std::move(publish);
    is_watched_ = std::move(is_watched);
  }
  void emit(LogLevel level, std::string_view event, std::span<const EventField> fields);
  void emit(LogLevel level, std::string_view event, std::initializer_list<EventField> fields) {
    emit(level, event, std::span(fields.begin(), fields.size()));
  }

 private:
  std::function<void(const boost::json::object&)> publish_;
  std::function<bool()> is_watched_;
};

}  // namespace mpb
