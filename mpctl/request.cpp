#include "mpctl/request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include <boost/json/array.hpp>

#include "common/base/units.hpp"
#include "common/base/utf8.hpp"
#include "common/config/option_values.hpp"
#include "mpctl/safe_text.hpp"

namespace mpb::ctl {
namespace {

namespace json = boost::json;

Error wrong(std::string_view usage) {
  return usage_error(fmt::format("usage: mpctl {}", usage));
}

Result<json::object> without_arguments(const RequestWords& words) {
  if (!words.arguments.empty()) {
    return usage_error(fmt::format("{} takes no argument: '{}'", words.command,
                                   unexpected_word(words.arguments.front())));
  }
  for (const std::string_view of_status : {"watch", "metrics", "health"}) {
    if (words.command == of_status) return json::object{{"command", "status"}};
  }
  return json::object{{"command", words.command}};
}

Result<json::object> with_number(const RequestWords& words, const char* member, std::int64_t low,
                                 std::int64_t high, std::string_view usage) {
  if (words.arguments.size() != 1) return wrong(usage);
  const auto number = parse_integer(words.arguments.front(), low, high);
  if (!number) return usage_error(fmt::format("{}: {}", words.command, number.error().text));
  return json::object{{"command", words.command}, {member, *number}};
}

Result<json::array> parse_slots(std::string_view text) {
  json::array slots;
  while (true) {
    const auto comma = text.find(',');
    const auto slot = parse_integer(text.substr(0, comma), 0, kMaxWorkers - 1);
    if (!slot) return usage_error("route: a slot: " + slot.error().text);
    slots.emplace_back(*slot);
    if (comma == std::string_view::npos) return slots;
    text.remove_prefix(comma + 1);
  }
}

Status check_name(std::string_view command, std::string_view what, std::string_view name) {
  if (name.empty()) return usage_error(fmt::format("{}: an empty {}", command, what));
  if (!is_utf8(name)) {
    return usage_error(fmt::format("{}: the {} '{}' is not UTF-8", command, what, safe_text(name)));
  }
  return {};
}

Status fill_pin(std::string_view pin, json::object& request) {
  const auto equals = pin.rfind('=');  // a key may contain one
  if (equals == std::string_view::npos) {
    return usage_error(
        fmt::format("route: '{}' is not KEY=SLOT[,SLOT...] such as 42=1", safe_text(pin)));
  }
  const std::string_view key = pin.substr(0, equals);
  if (auto status = check_name("route", "key", key); !status) return status;
  auto slots = parse_slots(pin.substr(equals + 1));
  if (!slots) return slots.error();
  request["key"] = key;
  request["slots"] = std::move(*slots);
  return {};
}

Status fill_removal(const std::string& key, json::object& request) {
  if (auto status = check_name("route", "key", key); !status) return status;
  request["key"] = key;
  request["remove"] = true;
  return {};
}

Result<json::object> kick(const RequestWords& words) {
  if (words.arguments.size() != 1) return wrong("kick VHOST/APP/STREAM");
  const std::string& stream = words.arguments.front();
  if (std::count(stream.begin(), stream.end(), '/') < 2 || !is_utf8(stream)) {
    return usage_error(fmt::format(
        "kick: '{}' is not VHOST/APP/STREAM, as 'mpctl streams' has them", safe_text(stream)));
  }
  return json::object{{"command", "kick"}, {"stream", stream}};
}

Result<json::object> route(const RequestWords& words) {
  if (words.arguments.size() != (words.remove ? 0U : 1U)) {
    return wrong("route KEY=SLOT[,SLOT...], or: route --remove KEY");
  }
  json::object request{{"command", "route"}};
  const Status filled = words.remove ? fill_removal(*words.remove, request)
                                     : fill_pin(words.arguments.front(), request);
  if (!filled) return filled.error();
  if (words.listener) {
    if (const Status status = check_name("route", "listener", *words.listener); !status) {
      return status.error();
    }
    request["listener"] = *words.listener;
  }
  return request;
}

/// The text itself is not shown: it may have a secret.
Status check_assignment(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) {
    return usage_error("vhost: expected KEY=VALUE such as latency=merge:350ms, found no '='");
  }
  const std::string_view key = text.substr(0, equals);
  if (auto status = check_name("vhost", "key", key); !status) return status;
  if (is_utf8(text)) return {};
  return usage_error(fmt::format("vhost: {}: the value is not UTF-8", safe_text(key)));
}

Result<json::object> vhost(const RequestWords& words) {
  constexpr std::string_view kUsage =
      "vhost NAME KEY=VALUE..., or: vhost NAME --unset KEY, or: vhost --remove NAME";
  if (words.remove) {
    if (!words.arguments.empty() || !words.unset.empty()) return wrong(kUsage);
    if (auto status = check_name("vhost", "name", *words.remove); !status) return status.error();
    return json::object{{"command", "vhost"}, {"name", *words.remove}, {"remove", true}};
  }
  if (words.arguments.empty()) return wrong(kUsage);
  if (words.arguments.size() == 1 && words.unset.empty()) return wrong(kUsage);
  json::array set;
  for (std::size_t i = 1; i < words.arguments.size(); ++i) {
    if (auto status = check_assignment(words.arguments[i]); !status) return status.error();
    set.emplace_back(words.arguments[i]);
  }
  json::array unset;
  for (const std::string& key : words.unset) {
    if (auto status = check_name("vhost", "key", key); !status) return status.error();
    unset.emplace_back(key);
  }
  const std::string& name = words.arguments.front();
  if (auto status = check_name("vhost", "name", name); !status) return status.error();
  json::object request{{"command", "vhost"}, {"name", name}};
  if (!set.empty()) request["set"] = std::move(set);
  if (!unset.empty()) request["unset"] = std::move(unset);
  return request;
}

/// A slot, perhaps with its generation: 3, 3.2.
std::optional<json::object> parse_worker(std::string_view text) {
  const auto dot = text.find('.');
  const auto slot = parse_integer(text.substr(0, dot), 0, kMaxWorkers - 1);
  if (!slot) return std::nullopt;
  json::object worker{{"slot", *slot}};
  if (dot == std::string_view::npos) return worker;
  const auto generation = parse_integer(text.substr(dot + 1), 1, UINT32_MAX);
  if (!generation) return std::nullopt;
  worker["generation"] = *generation;
  return worker;
}

/// WORKER, all, group:NAME, key:KEY, or a key that looks like none of these.
json::object receiver_of(std::string_view text) {
  constexpr std::string_view kGroup = "group:";
  constexpr std::string_view kKey = "key:";
  if (auto worker = parse_worker(text)) return *std::move(worker);
  if (text == "all") return {{"all", true}};
  if (text.starts_with(kGroup)) return {{"group", text.substr(kGroup.size())}};
  if (text.starts_with(kKey)) text.remove_prefix(kKey.size());
  return {{"key", text}};
}

Result<json::object> letter(const RequestWords& words) {
  const std::string& command = words.command;
  if (words.arguments.size() != 3) return wrong(command + " WORKER|all|KEY TOPIC TEXT");
  constexpr std::array<std::string_view, 3> kParts{"receiver", "topic", "text"};
  for (std::size_t i = 0; i < kParts.size(); ++i) {
    const std::string& argument = words.arguments[i];
    if (argument.empty() && kParts[i] == "text") continue;
    if (auto status = check_name(command, kParts[i], argument); !status) return status.error();
  }
  json::object request = receiver_of(words.arguments[0]);
  request["command"] = command;
  request["topic"] = words.arguments[1];
  request["text"] = words.arguments[2];
  if (words.listener) request["listener"] = *words.listener;
  if (command == "ask" && words.timeout) request["timeout_ms"] = words.timeout->count();
  return request;
}

Result<json::object> with_ttl(const RequestWords& words, json::object request) {
  if (!words.ttl) return request;
  if (!request.contains("put")) {
    return usage_error(fmt::format("{}: --for goes with what is put", words.command));
  }
  request["ttl_ms"] = words.ttl->count();
  return request;
}

Status check_texts(const RequestWords& words) {
  for (const std::string& word : words.arguments) {
    if (!is_utf8(word)) {
      return usage_error(fmt::format("{}: '{}' is not UTF-8", words.command, safe_text(word)));
    }
  }
  return {};
}

/// `table`: "deny" or "allow".
Result<json::object> address_list(const RequestWords& words, std::string_view table) {
  json::object request{{"command", "table"}, {"name", table}};
  if (words.arguments.size() + (words.remove ? 1 : 0) > 1) {
    return wrong(fmt::format("{0} [NETWORK [--for TIME]], or: {0} --remove NETWORK", table));
  }
  if (words.remove) request["erase"] = *words.remove;
  if (!words.arguments.empty()) request["put"] = words.arguments.front();
  return with_ttl(words, std::move(request));
}

Result<json::object> table(const RequestWords& words) {
  const auto& given = words.arguments;
  if (given.empty()) return with_ttl(words, {{"command", "table"}});
  json::object request{{"command", "table"}, {"name", given[0]}};
  const std::string_view action = given.size() > 1 ? std::string_view(given[1]) : "";
  if (action == "watch" && given.size() <= 3) {
    request = {{"command", "events"}, {"table", given[0]}};
    if (given.size() == 3) request["prefix"] = given[2];
  } else if (action == "get" && given.size() == 3) {
    request["get"] = given[2];
  } else if (action == "del" && given.size() == 3) {
    request["erase"] = given[2];
  } else if (action == "put" && given.size() == 4) {
    request["put"] = given[2];
    request["value"] = given[3];
  } else if (given.size() != 1) {
    return wrong("table [NAME [get KEY | put KEY VALUE [--for TIME] | del KEY | watch [PREFIX]]]");
  }
  return with_ttl(words, std::move(request));
}

}  // namespace

Result<json::object> build_request(const RequestWords& words) {
  const std::string& command = words.command;
  if (command == "drain") return with_number(words, "slot", 0, kMaxWorkers - 1, "drain SLOT");
  if (command == "workers") return with_number(words, "count", 1, kMaxWorkers, "workers N");
  if (command == "route") return route(words);
  if (command == "kick") return kick(words);
  if (command == "vhost") return vhost(words);
  if (command == "send" || command == "ask") return letter(words);
  if (command == "table" || command == "deny" || command == "allow") {
    if (const Status texts = check_texts(words); !texts) return texts.error();
    return command == "table" ? table(words) : address_list(words, command);
  }
  for (const std::string_view known : {"status", "metrics", "health", "streams", "upstreams",
                                       "hooks", "watch", "events", "reload", "stop"}) {
    if (command == known) return without_arguments(words);
  }
  return usage_error(
      fmt::format("'{}' is not a command: status, metrics, health, streams, upstreams, hooks, "
                  "kick, send, ask, watch, events, "
                  "drain, route, workers, vhost, table, deny, allow, reload, stop",
                  unexpected_word(command)));
}

}  // namespace mpb::ctl
