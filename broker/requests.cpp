// Broker: what the operator asks for: reload, and the requests of the control socket.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "broker/broker.hpp"
#include "broker/status_report.hpp"
#include "common/error_log.hpp"
#include "common/listen_names.hpp"
#include "common/option_values.hpp"
#include "common/problems.hpp"
#include "common/service_manager.hpp"

namespace mpb {
namespace {

constexpr std::string_view kTooManyQuestions = "too many questions wait for the workers' answers";

Result<std::int64_t> number_field(const boost::json::object& request, std::string_view name,
                                  std::int64_t low, std::int64_t high) {
  const boost::json::value* field = request.if_contains(name);
  if (field != nullptr && field->is_int64() && field->get_int64() >= low &&
      field->get_int64() <= high) {
    return field->get_int64();
  }
  return usage_error(fmt::format("'{}' must be a whole number from {} to {}", name, low, high));
}

std::string_view text_field(const boost::json::object& request, std::string_view name) {
  const boost::json::value* field = request.if_contains(name);
  if (field == nullptr || !field->is_string()) return {};
  return field->get_string();
}

/// Empty when there is none; nothing when it is not a list of texts.
std::optional<std::vector<std::string>> texts_field(const boost::json::object& request,
                                                    std::string_view name) {
  std::vector<std::string> texts;
  const boost::json::value* field = request.if_contains(name);
  if (field == nullptr) return texts;
  if (!field->is_array()) return std::nullopt;
  for (const boost::json::value& text : field->get_array()) {
    if (!text.is_string()) return std::nullopt;
    texts.emplace_back(text.get_string());
  }
  return texts;
}

boost::json::object refusal(const Error& error) {
  boost::json::object answer{{"ok", false}, {"error", error.text}};
  if (!error.help.empty()) answer.emplace("help", error.help);
  return answer;
}

/// A member of another type would be taken for one that is not there, and the request for one that
/// asks for more.
Status check_types(const boost::json::object& request) {
  for (const std::string_view name : {"key", "listener", "name", "stream"}) {
    const boost::json::value* field = request.if_contains(name);
    if (field != nullptr && !field->is_string()) {
      return usage_error(fmt::format("'{}' must be a text", name));
    }
  }
  const boost::json::value* remove = request.if_contains("remove");
  if (remove != nullptr && !remove->is_bool()) {
    return usage_error("'remove' must be true or false");
  }
  return {};
}

/// With the member `warnings` where there are any.
boost::json::object consent(const std::vector<Warning>& warnings) {
  boost::json::object answer{{"ok", true}};
  if (warnings.empty()) return answer;
  boost::json::array texts;
  for (const Warning& warning : warnings) texts.emplace_back(warning.text());
  answer["warnings"] = std::move(texts);
  return answer;
}

bool is_removal(const boost::json::object& request) {
  const boost::json::value* remove = request.if_contains("remove");
  return remove != nullptr && remove->is_bool() && remove->get_bool();
}

/// What only a start sets stays as it is; the operator is told.
std::vector<Warning> keep_what_a_start_sets(const Settings& now, Settings& fresh) {
  std::vector<Warning> warnings;
  if (fresh.control_socket != now.control_socket) {
    warnings.push_back(
        {fmt::format("control-socket = {}", fresh.control_socket),
         fmt::format("it stays '{}' until mpbroker is started again", now.control_socket),
         Gravity::kDoubtful});
    fresh.control_socket = now.control_socket;
  }
  if (fresh.max_keys != now.max_keys) {
    warnings.push_back({fmt::format("max-keys = {}", fresh.max_keys),
                        fmt::format("it stays {} until mpbroker is started again", now.max_keys),
                        Gravity::kDoubtful});
    fresh.max_keys = now.max_keys;
  }
  return warnings;
}

}  // namespace

void Broker::on_request(const boost::json::object& request, Reply reply) {
  const std::string_view command = text_field(request, "command");
  if (const Status types = check_types(request); !types) return reply(refusal(types.error()));
  if (command == "status") {
    supervisor_.refresh_counters(
        [this, reply = std::move(reply)] { reply(StatusReport(*this).build()); });
    return;
  }
  if (find_answer_list(command) != nullptr) return request_list(command, reply);
  if (command == "kick") return request_kick(request, reply);
  if (command == "workers" && !stopping_) return request_workers(request, reply);
  std::vector<Warning> warnings;
  const Status done = run_request(command, request, warnings);
  reply(done ? consent(warnings) : refusal(done.error()));
}

Status Broker::run_request(std::string_view command, const boost::json::object& request,
                           std::vector<Warning>& warnings) {
  if (stopping_ && command != "stop") return unavailable_error("mpbroker is stopping");
  if (command == "drain") return request_drain(request);
  if (command == "route") return request_route(request);
  if (command == "vhost") return request_vhost(request, warnings);
  if (command == "reload") {
    auto done = reload();
    if (!done) return done.error();
    warnings = *std::move(done);
    return {};
  }
  if (command == "stop") {
    loop_.after(Duration{0}, [this] { stop(); });  // after the answer
    return {};
  }
  return usage_error(
      fmt::format("unknown command '{}': expected status, events, streams, upstreams, hooks, "
                  "kick, drain, route, workers, vhost, reload or stop",
                  command));
}

void Broker::request_list(std::string_view question, const Reply& reply) {
  const bool asked = inquiries_.ask(std::string(question), {},
                                    [reply](Inquiry& inquiry) { reply(inquiry.list_report()); });
  if (!asked) reply(refusal(unavailable_error(std::string(kTooManyQuestions))));
}

void Broker::request_kick(const boost::json::object& request, const Reply& reply) {
  const std::string stream(text_field(request, "stream"));
  if (std::count(stream.begin(), stream.end(), '/') < 2 || stream.size() > channel::kMaxArgument) {
    return reply(refusal(usage_error(fmt::format(
        "'stream' must be VHOST/APP/STREAM, at most {} bytes", channel::kMaxArgument))));
  }
  const bool asked = inquiries_.ask(
      "kick", stream, [reply, stream](Inquiry& inquiry) { reply(inquiry.kick_report(stream)); });
  if (!asked) reply(refusal(unavailable_error(std::string(kTooManyQuestions))));
}

Status Broker::request_drain(const boost::json::object& request) {
  const auto slot = number_field(request, "slot", 0, kMaxWorkers - 1);
  if (!slot) return slot.error();
  if (!supervisor_.drain(static_cast<Slot>(*slot), settings_.drain_timeout)) {
    return usage_error(fmt::format("slot {} is not online: see 'mpctl status'", *slot));
  }
  return {};
}

Status Broker::request_route(const boost::json::object& request) {
  const std::string_view key = text_field(request, "key");
  if (key.empty() || key.size() > channel::kMaxKey) {
    return usage_error(fmt::format("'key' must be a text of 1 to {} bytes", channel::kMaxKey));
  }
  Pin pin{std::string(key), {}};
  const bool removal = is_removal(request);
  const boost::json::value* slots = request.if_contains("slots");
  if (!removal && slots != nullptr && slots->is_array()) {
    for (const boost::json::value& slot : slots->get_array()) {
      if (!slot.is_int64() || slot.get_int64() < 0 || slot.get_int64() >= scaler_.rules().maximum) {
        return usage_error(
            fmt::format("a slot must be a number from 0 to {}", scaler_.rules().maximum - 1));
      }
      pin.slots.push_back(static_cast<Slot>(slot.get_int64()));
    }
  }
  if (!removal && pin.slots.empty()) return usage_error("'slots' must name at least one slot");
  const std::string_view name = text_field(request, "listener");
  bool found = false;
  std::set<std::uint16_t> spaces;
  for (const auto& [number, listener] : listeners_.all()) {
    if (!name.empty() && listener.settings.name != name) continue;
    found = true;
    if (!removal || pins_.has({listener.rules.space, pin.key})) spaces.insert(listener.rules.space);
  }
  if (!found) return usage_error(fmt::format("there is no listener '{}'", name));
  if (spaces.empty()) {
    return usage_error(fmt::format("there is no route for key '{}'{}", pin.key,
                                   name.empty() ? "" : fmt::format(" of listener '{}'", name)));
  }
  for (const std::uint16_t space : spaces) apply_pins(pins_.set({space, pin.key}, pin.slots));
  return {};
}

void Broker::request_workers(const boost::json::object& request, const Reply& reply) {
  const auto count = number_field(request, "count", 1, kMaxWorkers);
  if (!count) return reply(refusal(count.error()));
  settings_.workers = static_cast<std::uint16_t>(*count);
  settings_.max_workers = std::max(configured_limit_, settings_.workers);
  scaler_.set_rules(scaler_rules());
  apply_client_limit();
  supervisor_.for_each_process(
      [this](Slot slot, WorkerProcess& worker) { worker.configure(configure_message(slot)); });
  boost::json::object answer{{"ok", true}};
  if (std::string warning = descriptor_warning(); !warning.empty()) {
    answer["warning"] = std::move(warning);
  }
  supervisor_.apply_rules();
  announce_ready();
  reply(std::move(answer));
}

Status Broker::request_vhost(const boost::json::object& request, std::vector<Warning>& warnings) {
  const std::string_view name = text_field(request, "name");
  Result<VhostChange> change = VhostChange{};
  if (is_removal(request)) {
    change = vhosts_.remove(name, settings_);
  } else {
    const auto set = texts_field(request, "set");
    if (!set) return usage_error("'set' must be a list of KEY=VALUE texts");
    const auto unset = texts_field(request, "unset");
    if (!unset) return usage_error("'unset' must be a list of keys");
    if (set->empty() && unset->empty()) {
      return usage_error("'set' must have at least one KEY=VALUE text, or 'unset' a key");
    }
    change = vhosts_.change(name, *set, *unset, settings_);
  }
  if (!change) return change.error();
  warnings = std::move(change->warnings);
  events_.emit(LogLevel::kInfo, "vhost", {{"vhost", name}, {"removed", is_removal(request)}});
  send_vhosts(*change);
  return {};
}

void Broker::send_vhosts(const VhostChange& change) {
  std::optional<std::vector<std::string>> all;  // for those that take nothing less
  supervisor_.for_each_process([&](Slot, WorkerProcess& worker) {
    if (worker.takes_vhost_changes()) return worker.change_vhosts(change);
    if (!all) all = vhosts_.texts();
    worker.set_vhosts(*all);
  });
}

PinSet::Pins Broker::configured_pins() const {
  PinSet::Pins pins;
  for (const auto& [number, listener] : listeners_.all()) {
    for (const Pin& pin : listener.settings.pins) {
      pins[{listener.rules.space, pin.key}] = pin.slots;
    }
  }
  return pins;
}

/// What was decided before goes out before an owner loses a key.
void Broker::apply_pins(const PinSet::Changes& changes) {
  if (changes.empty()) return;
  flush_outboxes();
  std::map<Slot, std::string> lost;  // by the owners that lose them: entries of Disown messages
  for (const auto& [place, slots] : changes) {
    for (const Disowned& loser : router_.pin(place.first, place.second, slots)) {
      channel::append_key(lost[loser.slot], {loser.epoch, loser.space, loser.key});
    }
  }
  for (const auto& [slot, keys] : lost) {
    if (WorkerProcess* worker = supervisor_.process(slot)) worker->disown(keys);
  }
}

Result<std::vector<Warning>> Broker::reload() {
  if (stopping_) return unavailable_error("mpbroker is stopping");
  // Until it was told READY a service manager waits for that, which a reload does not bring about.
  const auto tell = [this](const std::string& state) {
    if (announced_) notify_service_manager(state);
  };
  tell("RELOADING=1");
  auto fresh = read_options_();
  std::vector<Warning> kept;
  if (fresh) kept = keep_what_a_start_sets(settings_, fresh->settings);
  const Status done = fresh ? apply(std::move(fresh->settings)) : fresh.error();
  if (!done) {
    const auto lines = lines_of(done.error().text);
    const std::string why = fmt::format("{}", fmt::join(lines, "; "));
    const std::string& help = done.error().help;
    if (help.empty()) {
      events_.emit(LogLevel::kError, "reload", {{"ok", false}, {"why", why}});
    } else {
      events_.emit(LogLevel::kError, "reload", {{"ok", false}, {"why", why}, {"help", help}});
    }
    // Every user of the machine may read the status, not so the log: no word of the file is in it.
    tell(fmt::format("READY=1\nSTATUS=Reload failed, nothing was changed: {}, see the log",
                     lines.size() == 1 ? "1 problem" : fmt::format("{} problems", lines.size())));
    return done.error();
  }
  fresh->warnings.insert(fresh->warnings.end(), kept.begin(), kept.end());
  log_warnings(fresh->warnings);
  events_.emit(LogLevel::kInfo, "reload", {{"ok", true}});
  tell("READY=1\nSTATUS=Reloaded");
  return std::move(fresh->warnings);
}

Status Broker::apply(Settings fresh) {
  if (fresh.workers == 0) {
    return usage_error("workers = 0: the single process is another program; restart");
  }
  auto program = worker_program(fresh);
  if (!program) return program.error();
  if (const Status resolved = resolve_listeners(fresh.listeners, kReloadLookupLimit); !resolved) {
    return resolved;
  }
  turn_away_.end();
  const auto change = listeners_.apply(fresh);
  if (service_.state == ServiceState::kDown) turn_away();
  if (!change) return change.error();
  if (const Status control = control_.restore_path(); !control) {
    LogLine line(LogLevel::kWarning, "control_socket.lost");
    add_error(line, control.error());
  }
  supervisor_.set_program(std::move(*program));
  settings_ = std::move(fresh);
  inquiries_.set_limit(settings_.answer_timeout);
  configured_limit_ = settings_.worker_limit();
  set_log_level(settings_.log_level);
  apply_client_limit();
  scaler_.set_rules(scaler_rules());
  dispatcher_.set_wait_limit(wait_limit(settings_));
  supervisor_.for_each_process([&](Slot slot, WorkerProcess& worker) {
    worker.configure(configure_message(slot));
    for (const std::uint16_t number : change->withdrawn) worker.withdraw(number);
    for (const std::uint16_t number : change->offered) {
      worker.offer(ListenerSet::offer(*listeners_.find(number), accepts(slot)));
    }
  });
  for (const std::uint16_t number : change->opened) tell_listening(number);
  if (const auto vhosts = vhosts_.replace(std::move(settings_.vhosts))) send_vhosts(*vhosts);
  apply_pins(pins_.configure(configured_pins()));
  warn_of_descriptors();
  supervisor_.apply_rules();
  announce_ready();  // there may be fewer base workers to wait for
  return {};
}

}  // namespace mpb
