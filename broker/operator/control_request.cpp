#include "broker/operator/control_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "broker/operator/inquiry.hpp"
#include "common/config/option_values.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

/// Members of a request. One of the wrong type must not be taken for one that is not there, or the
/// request for one that asks for more.
class Members {
 public:
  explicit Members(const json::object& request) : request_(request) {}

  /// Empty: there is none.
  Result<std::string> text(std::string_view name) const {
    const json::value* member = request_.if_contains(name);
    if (member == nullptr) return std::string();
    if (!member->is_string()) return usage_error(fmt::format("'{}' must be a text", name));
    return std::string(member->get_string());
  }

  /// False: there is none.
  Result<bool> flag(std::string_view name) const {
    const json::value* member = request_.if_contains(name);
    if (member == nullptr) return false;
    if (!member->is_bool()) return usage_error(fmt::format("'{}' must be true or false", name));
    return member->get_bool();
  }

  Result<std::uint16_t> number(std::string_view name, std::uint16_t low, std::uint16_t high) const {
    const json::value* member = request_.if_contains(name);
    if (member != nullptr && member->is_int64() && member->get_int64() >= low &&
        member->get_int64() <= high) {
      return static_cast<std::uint16_t>(member->get_int64());
    }
    return usage_error(fmt::format("'{}' must be a whole number from {} to {}", name, low, high));
  }

  Result<std::uint32_t> number_or(std::string_view name, std::uint32_t low, std::uint32_t high,
                                  std::uint32_t otherwise) const {
    const json::value* member = request_.if_contains(name);
    if (member == nullptr) return otherwise;
    if (member->is_int64() && member->get_int64() >= low && member->get_int64() <= high) {
      return static_cast<std::uint32_t>(member->get_int64());
    }
    return usage_error(fmt::format("'{}' must be a whole number from {} to {}", name, low, high));
  }

  [[nodiscard]] bool has(std::string_view name) const { return request_.contains(name); }

  /// 0: there is none.
  Result<std::uint32_t> milliseconds(std::string_view name) const {
    const json::value* member = request_.if_contains(name);
    if (member == nullptr) return 0U;
    if (member->is_int64() && member->get_int64() > 0 && member->get_int64() <= UINT32_MAX) {
      return static_cast<std::uint32_t>(member->get_int64());
    }
    return usage_error(fmt::format("'{}' must be a whole number from 1 to {}", name, UINT32_MAX));
  }

  /// Empty: there is none.
  Result<std::vector<std::string>> texts(std::string_view name, std::string_view of) const {
    std::vector<std::string> texts;
    const json::value* member = request_.if_contains(name);
    if (member == nullptr) return texts;
    const auto wrong = [&] {
      return usage_error(fmt::format("'{}' must be a list of {}", name, of));
    };
    if (!member->is_array()) return wrong();
    for (const json::value& text : member->get_array()) {
      if (!text.is_string()) return wrong();
      texts.emplace_back(text.get_string());
    }
    return texts;
  }

  /// Empty: there is none.
  Result<std::vector<std::uint16_t>> slots(std::string_view name) const {
    std::vector<std::uint16_t> slots;
    const json::value* member = request_.if_contains(name);
    if (member == nullptr) return slots;
    if (!member->is_array()) return usage_error(fmt::format("'{}' must be a list of slots", name));
    for (const json::value& slot : member->get_array()) {
      if (!slot.is_int64() || slot.get_int64() < 0 || slot.get_int64() >= kMaxWorkers) {
        return usage_error(fmt::format("a slot must be a number from 0 to {}", kMaxWorkers - 1));
      }
      slots.push_back(static_cast<std::uint16_t>(slot.get_int64()));
    }
    return slots;
  }

 private:
  const json::object& request_;
};

Result<ControlRequest> read_kick(const Members& members) {
  auto stream = members.text("stream");
  if (!stream) return stream.error();
  if (std::ranges::count(*stream, '/') < 2 || stream->size() > channel::kMaxArgument) {
    return usage_error(
        fmt::format("'stream' must be VHOST/APP/STREAM, at most {} bytes", channel::kMaxArgument));
  }
  return ControlRequest(QuestionRequest{"kick", *std::move(stream)});
}

Result<ControlRequest> read_drain(const Members& members) {
  const auto slot = members.number("slot", 0, kMaxWorkers - 1);
  if (!slot) return slot.error();
  return ControlRequest(DrainRequest{*slot});
}

Result<ControlRequest> read_route(const Members& members) {
  auto key = members.text("key");
  if (!key) return key.error();
  if (key->empty() || key->size() > channel::kMaxKey) {
    return usage_error(fmt::format("'key' must be a text of 1 to {} bytes", channel::kMaxKey));
  }
  auto listener = members.text("listener");
  if (!listener) return listener.error();
  const auto remove = members.flag("remove");
  if (!remove) return remove.error();
  PinRequest route{{*std::move(key), {}}, *std::move(listener)};
  if (*remove) return ControlRequest(std::move(route));
  auto slots = members.slots("slots");
  if (!slots) return slots.error();
  if (slots->empty()) return usage_error("'slots' must name at least one slot");
  route.pin.slots = *std::move(slots);
  return ControlRequest(std::move(route));
}

Result<ControlRequest> read_workers(const Members& members) {
  const auto count = members.number("count", 1, kMaxWorkers);
  if (!count) return count.error();
  return ControlRequest(WorkersRequest{*count});
}

Result<ControlRequest> read_vhost(const Members& members) {
  auto name = members.text("name");
  if (!name) return name.error();
  const auto remove = members.flag("remove");
  if (!remove) return remove.error();
  VhostRequest vhost{*std::move(name), *remove, {}, {}};
  if (vhost.remove) return ControlRequest(std::move(vhost));
  auto set = members.texts("set", "KEY=VALUE texts");
  if (!set) return set.error();
  auto unset = members.texts("unset", "keys");
  if (!unset) return unset.error();
  if (set->empty() && unset->empty()) {
    return usage_error("'set' must have at least one KEY=VALUE text, or 'unset' a key");
  }
  vhost.set = *std::move(set);
  vhost.unset = *std::move(unset);
  return ControlRequest(std::move(vhost));
}

/// To one worker ("slot", and perhaps its "generation"), to "all", to the owner of a "key", or to a
/// "group".
Result<ControlRequest> read_send(const Members& members, bool ask) {
  SendRequest send;
  const auto all = members.flag("all");
  if (!all) return all.error();
  auto key = members.text("key");
  if (!key) return key.error();
  auto group = members.text("group");
  if (!group) return group.error();
  if (*all) {
    send.to = To::Kind::kAll;
  } else if (!key->empty()) {
    send.to = To::Kind::kOwner;
    send.name = *std::move(key);
  } else if (!group->empty()) {
    send.to = To::Kind::kGroup;
    send.name = *std::move(group);
  } else {
    const auto slot = members.number("slot", 0, kMaxWorkers - 1);
    if (!slot) return slot.error();
    const auto generation = members.number_or("generation", 0, UINT32_MAX, 0);
    if (!generation) return generation.error();
    send.slot = *slot;
    send.generation = *generation;
    if (send.generation != 0) send.to = To::Kind::kWorker;
  }
  if (send.name.size() > channel::kMaxKey) {
    return usage_error(fmt::format("a key has at most {} bytes", channel::kMaxKey));
  }
  auto listener = members.text("listener");
  if (!listener) return listener.error();
  send.listener = *std::move(listener);
  auto topic = members.text("topic");
  if (!topic) return topic.error();
  if (topic->empty() || topic->size() > Bus::kMaxTopic) {
    return usage_error(fmt::format("'topic' must be a text of 1 to {} bytes", Bus::kMaxTopic));
  }
  auto text = members.text("text");
  if (!text) return text.error();
  if (text->size() > Bus::kMaxPayload) {
    return usage_error(fmt::format("'text' must have at most {} bytes", Bus::kMaxPayload));
  }
  send.topic = *std::move(topic);
  send.text = *std::move(text);
  if (!ask) return ControlRequest(std::move(send));
  constexpr std::uint32_t kMostWait = 60'000;
  const auto timeout = members.number_or("timeout_ms", 1, kMostWait, 1'000);
  if (!timeout) return timeout.error();
  send.timeout = Duration{*timeout};
  return ControlRequest(std::move(send));
}

Result<ControlRequest> read_table(const Members& members) {
  using Action = TableRequest::Action;
  if (!members.has("name")) return ControlRequest(TableListRequest{});
  TableRequest table;
  auto name = members.text("name");
  if (!name) return name.error();
  table.table = *std::move(name);
  constexpr std::pair<std::string_view, Action> kActions[] = {
      {"get", Action::kGet}, {"put", Action::kPut}, {"erase", Action::kErase}};
  for (const auto& [member, action] : kActions) {
    if (!members.has(member)) continue;
    auto key = members.text(member);
    if (!key) return key.error();
    table.action = action;
    table.key = *std::move(key);
    break;
  }
  auto value = members.text("value");
  if (!value) return value.error();
  table.value = *std::move(value);
  const auto ttl = members.milliseconds("ttl_ms");
  if (!ttl) return ttl.error();
  table.ttl_ms = *ttl;
  return ControlRequest(std::move(table));
}

}  // namespace

Result<ControlRequest> read_control_request(const json::object& request) {
  const Members members(request);
  const auto command = members.text("command");
  if (!command) return command.error();
  if (*command == "status") return ControlRequest(StatusRequest{});
  if (*command == "reload") return ControlRequest(ReloadRequest{});
  if (*command == "stop") return ControlRequest(StopRequest{});
  if (has_list(*command)) return ControlRequest(QuestionRequest{*command, {}});
  if (*command == "kick") return read_kick(members);
  if (*command == "drain") return read_drain(members);
  if (*command == "route") return read_route(members);
  if (*command == "workers") return read_workers(members);
  if (*command == "vhost") return read_vhost(members);
  if (*command == "send" || *command == "ask") return read_send(members, *command == "ask");
  if (*command == "table") return read_table(members);
  return usage_error(
      fmt::format("unknown command '{}': expected status, events, streams, upstreams, hooks, "
                  "kick, send, ask, drain, route, workers, vhost, table, reload or stop",
                  *command));
}

}  // namespace mpb
