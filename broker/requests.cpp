// Broker: does what the operator asks for: reload, and the requests of the control socket.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "broker/broker.hpp"
#include "broker/status_report.hpp"
#include "broker/tables/table_answers.hpp"
#include "broker/workers/worker_program.hpp"
#include "common/base/overloaded.hpp"
#include "common/config/listen_names.hpp"
#include "common/config/option_values.hpp"
#include "common/config/problems.hpp"
#include "common/log/error_log.hpp"
#include "common/process/service_manager.hpp"

namespace mpb {
namespace {

constexpr std::string_view kTooManyQuestions = "too many questions wait for the workers' answers";

boost::json::object refusal(const Error& error) {
  boost::json::object answer{{"ok", false}, {"error", error.text}};
  if (!error.help.empty()) answer.emplace("help", error.help);
  return answer;
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

/// What can be told of a service that ends, and the order to end at once.
bool may_be_asked_while_stopping(const ControlRequest& request) {
  return std::holds_alternative<StatusRequest>(request) ||
         std::holds_alternative<QuestionRequest>(request) ||
         std::holds_alternative<StopRequest>(request);
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

void Broker::on_request(const boost::json::object& object, Reply reply) {
  const auto request = read_control_request(object);
  if (!request) return reply(refusal(request.error()));
  if (stopping_ && !may_be_asked_while_stopping(*request)) {
    return reply(refusal(unavailable_error("mpbroker is stopping")));
  }
  const auto tell = [&reply](const Status& done) {
    reply(done ? consent({}) : refusal(done.error()));
  };
  const auto warn = [&reply](const Result<std::vector<Warning>>& done) {
    reply(done ? consent(*done) : refusal(done.error()));
  };
  std::visit(Overloaded{
                 [&](const StatusRequest&) {
                   supervisor_.refresh_counters([this, reply] {
                     // What was told must not fall when this broker dies.
                     if (succession_.held()) succession_.write(state());
                     reply(StatusReport(*this).build());
                   });
                 },
                 [&](const StopRequest&) {
                   loop_.after(Duration{0}, [this] { stop(); });  // after the answer
                   reply(consent({}));
                 },
                 [&](const ReloadRequest&) { warn(reload()); },
                 [&](const QuestionRequest& question) { request_answers(question, reply); },
                 [&](const DrainRequest& drain) { tell(request_drain(drain)); },
                 [&](const PinRequest& route) { tell(request_route(route)); },
                 [&](const WorkersRequest& workers) { reply(request_workers(workers)); },
                 [&](const VhostRequest& vhost) { warn(request_vhost(vhost)); },
                 [&](const SendRequest& send) { request_send(send, reply); },
                 [&](const TableListRequest&) { reply(list_of_tables(tables_.store())); },
                 [&](const TableRequest& table) { reply(request_table(table)); },
             },
             *request);
}

void Broker::request_answers(const QuestionRequest& request, const Reply& reply) {
  if (inquiries_.ask(request.question, request.argument, reply)) return;
  reply(refusal(unavailable_error(std::string(kTooManyQuestions))));
}

Status Broker::request_drain(const DrainRequest& request) {
  if (!supervisor_.drain(request.slot, settings_.drain_timeout)) {
    return usage_error(fmt::format("slot {} is not online: see 'mpctl status'", request.slot));
  }
  return {};
}

Status Broker::request_route(const PinRequest& request) {
  const Pin& pin = request.pin;
  const int slots = scaler_.rules().maximum;
  if (std::ranges::any_of(pin.slots, [&](Slot slot) { return slot >= slots; })) {
    return usage_error(fmt::format("a slot must be a number from 0 to {}", slots - 1));
  }
  bool found = false;
  std::set<std::uint16_t> spaces;
  for (const auto& [number, listener] : listeners_.all()) {
    if (!request.listener.empty() && listener.settings.name != request.listener) continue;
    found = true;
    if (!pin.slots.empty() || pins_.has({listener.rules.space, pin.key})) {
      spaces.insert(listener.rules.space);
    }
  }
  if (!found) return usage_error(fmt::format("there is no listener '{}'", request.listener));
  if (spaces.empty()) {
    const std::string of =
        request.listener.empty() ? "" : fmt::format(" of listener '{}'", request.listener);
    return usage_error(fmt::format("there is no route for key '{}'{}", pin.key, of));
  }
  for (const std::uint16_t space : spaces) apply_pins(pins_.set({space, pin.key}, pin.slots));
  succession_.note_change();
  return {};
}

boost::json::object Broker::request_workers(const WorkersRequest& request) {
  Settings fresh = settings_;
  fresh.workers = request.count;
  fresh.max_workers = std::max(configured_limit_, fresh.workers);
  if (fresh.isolates() && fresh.worker_limit() <= fresh.workers) {
    return refusal(usage_error(fmt::format(
        "workers = {}: a listener isolates, and no process could be started: expected fewer than "
        "max-workers = {}",
        fresh.workers, configured_limit_)));
  }
  auto accounts = worker_accounts(fresh);
  if (!accounts) return refusal(accounts.error());
  run_workers_as(std::move(*accounts));
  const bool spread = spreads();
  settings_.workers = operators_workers_ = fresh.workers;
  settings_.max_workers = fresh.max_workers;
  succession_.note_change();
  scaler_.set_rules(scaler_rules());
  cells_.set_rules(cell_rules());
  dispatcher_.decide_anew();
  widen_window();
  apply_client_limit();
  supervisor_.for_each_process([&](Slot slot, WorkerProcess& worker) {
    worker.configure(worker_settings(slot), handoff_window());
    if (spreads() == spread) return;
    for (const auto& [number, listener] : listeners_.all()) tell_of(worker, slot, listener);
  });
  boost::json::object answer = consent({});
  if (const std::string warning = descriptor_warning(); !warning.empty()) {
    answer["warning"] = warning;
  }
  supervisor_.apply_rules();
  service_.announce_ready();
  return answer;
}

void Broker::request_send(const SendRequest& request, const Reply& reply) {
  channel::Address to{request.to, request.slot, request.generation, 0, request.name};
  for (const auto& [number, listener] : listeners_.all()) {
    if (!request.listener.empty() && listener.settings.name != request.listener) continue;
    to.space = listener.rules.space;
    if (router_.find(to.space, to.name) != nullptr) break;
  }
  const OperatorLetter letter{to, request.topic, request.text};
  if (!request.timeout) return reply(talk_.send(letter));
  talk_.ask(letter, *request.timeout, reply);
}

Result<std::vector<Warning>> Broker::request_vhost(const VhostRequest& request) {
  auto change = request.remove
                    ? vhosts_.remove(request.name, settings_)
                    : vhosts_.change(request.name, request.set, request.unset, settings_);
  if (!change) return change.error();
  events_.emit(LogLevel::kInfo, "vhost", {{"vhost", request.name}, {"removed", request.remove}});
  prepare_cells();
  send_vhosts(*change);
  succession_.note_change();
  return std::move(change->warnings);
}

boost::json::object Broker::request_table(const TableRequest& request) {
  using Action = TableRequest::Action;
  if (request.action == Action::kShow || request.action == Action::kGet) {
    auto answer = contents(tables_.store(), request, loop_.now());
    return answer ? *std::move(answer) : refusal(answer.error());
  }
  const TableResult done = tables_.apply(operation_of(request));
  if (!done) return refusal(refusal_of(request, done));
  events_.emit(LogLevel::kInfo, "table",
               {{"table", request.table},
                {"key", request.key},
                {"change", request.action == Action::kErase ? "erase" : "put"}});
  return {{"ok", true}, {"version", done.version}};
}

void Broker::send_vhosts(const VhostChange& change) {
  supervisor_.for_each_process(
      [&change](Slot, WorkerProcess& worker) { worker.change_vhosts(change); });
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
      events_.emit(LogLevel::kInfo, "owner", {{"slot", loser.slot}, {"keys", 1}, {"why", "route"}});
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
    if (service_.announced()) notify_service_manager(state);
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
    tell(told_of_failed_reload(lines.size()));
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
  auto accounts = worker_accounts(fresh);
  if (!accounts) return accounts.error();
  if (const Status admitted = plans_.admit_all(fresh); !admitted) return admitted;
  if (const Status resolved = resolve_listeners(fresh.listeners, kReloadLookupLimit); !resolved) {
    return resolved;
  }
  turn_away_.end();
  const auto change = listeners_.apply(fresh);
  if (service_.down()) turn_away();
  if (!change) return change.error();
  // Before workers hold them: the next broker must find each that it has to listen on.
  if (succession_.held()) succession_.write(state());
  keep_sockets();
  if (const Status control = control_.restore_path(); !control) {
    LogLine line(LogLevel::kWarning, "control_socket.lost");
    add_error(line, control.error());
  }
  supervisor_.set_program(std::move(*program));
  run_workers_as(std::move(*accounts));
  settings_ = std::move(fresh);
  inquiries_.set_limit(settings_.answer_timeout);
  tables_.set_workers_deny(settings_.workers_deny);
  configured_limit_ = settings_.worker_limit();
  operators_workers_ = 0;
  set_log_level(settings_.log_level);
  apply_client_limit();
  scaler_.set_rules(scaler_rules());
  cells_.set_rules(cell_rules());
  cells_.reopen();
  dispatcher_.decide_anew();
  apply_acceptor_rules();
  dispatcher_.set_wait_limit(wait_limit(settings_));
  supervisor_.for_each_process([&](Slot slot, WorkerProcess& worker) {
    worker.configure(worker_settings(slot), handoff_window());
    for (const std::uint16_t number : change->withdrawn) worker.unlisten(number);
    for (const std::uint16_t number : change->current) {
      tell_of(worker, slot, *listeners_.find(number));
    }
  });
  for (const std::uint16_t number : change->opened) tell_listening(number);
  if (const auto vhosts = vhosts_.replace(std::move(settings_.vhosts))) send_vhosts(*vhosts);
  plans_.replace(std::move(settings_.keys));
  prepare_cells();
  apply_pins(pins_.configure(configured_pins()));
  succession_.note_change();
  warn_of_descriptors();
  tell_setup();
  supervisor_.apply_rules();
  service_.announce_ready();  // there may be fewer base workers to wait for
  return {};
}

}  // namespace mpb
