// What an operator may ask through the control socket, typed. Pure: no I/O, no clock; what a
// request means beside the state of the broker (is there such a slot, listener, vhost?) is decided
// where it is done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/json/object.hpp>

#include "common/base/error.hpp"
#include "common/config/settings.hpp"
#include "mpbroker/bus.hpp"

namespace mpb {

struct StatusRequest {};
struct ReloadRequest {};
struct StopRequest {};

/// What workers answer: "streams", "upstreams", "hooks", "kick".
struct QuestionRequest {
  std::string question;
  std::string argument;  // of "kick": VHOST/APP/STREAM
};

struct DrainRequest {
  std::uint16_t slot = 0;
};

/// "route".
struct PinRequest {
  Pin pin;               // without slots: the pin is removed
  std::string listener;  // empty: of all listeners
};

struct WorkersRequest {
  std::uint16_t count = 0;
};

struct VhostRequest {
  std::string name;
  bool remove = false;
  std::vector<std::string> set;  // KEY=VALUE
  std::vector<std::string> unset;
};

/// "send" and "ask".
struct SendRequest {
  To::Kind to = To::Kind::kSlot;
  std::uint16_t slot = 0;
  std::uint32_t generation = 0;
  std::string name;      // of a key or a group
  std::string listener;  // of the key; empty: of all listeners
  std::string topic;
  std::string text;
  std::optional<Duration> timeout;  // set: "ask"
};

/// "table" without a name.
struct TableListRequest {};

/// "table".
struct TableRequest {
  enum class Action : std::uint8_t { kShow, kGet, kPut, kErase };
  std::string table;
  Action action = Action::kShow;
  std::string key;
  std::string value;
  std::uint32_t ttl_ms = 0;  // 0: for ever
};

using ControlRequest = std::variant<StatusRequest, ReloadRequest, StopRequest, QuestionRequest,
                                    DrainRequest, PinRequest, WorkersRequest, VhostRequest,
                                    SendRequest, TableListRequest, TableRequest>;

/// A usage error names the member that is wrong and what it must be. Members that a request has no
/// use for are ignored.
Result<ControlRequest> read_control_request(const boost::json::object& request);

}  // namespace mpb
