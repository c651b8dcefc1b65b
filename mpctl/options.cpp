#include "mpctl/options.hpp"

#include <fmt/format.h>

#include "common/config/value_readers.hpp"
#include "mpctl/options_list.hpp"

namespace mpb::ctl {
namespace {

Mode mode_of(const std::string& command, const boost::json::object& request) {
  const auto& asked = request.at("command").get_string();
  if (asked == "table") return Mode::kTable;
  if (asked == "events") return Mode::kEvents;
  if (command == "status") return Mode::kStatus;
  if (command == "metrics") return Mode::kMetrics;
  if (command == "health") return Mode::kHealth;
  if (command == "streams") return Mode::kStreams;
  if (command == "upstreams") return Mode::kUpstreams;
  if (command == "hooks") return Mode::kHooks;
  if (command == "ask") return Mode::kAnswers;
  if (command == "send") return Mode::kSend;
  if (command == "watch") return Mode::kWatch;
  return Mode::kAsk;
}

Status check_options(const OptionLine& line, const std::string& command, Mode mode) {
  if (mode != Mode::kWatch) {
    if (auto status = line.forbid(command, {"interval", "count"}); !status) return status;
  } else if (line.has("json")) {
    return usage_error("--json does not go with watch: repeat status --json instead");
  }
  if ((mode == Mode::kMetrics || mode == Mode::kHealth) && line.has("json")) {
    return usage_error(fmt::format("--json does not go with {}: see status --json", command));
  }
  if (mode != Mode::kAnswers) {
    if (auto status = line.forbid(command, {"timeout"}); !status) return status;
  }
  if (command == "route") return line.forbid(command, {"unset", "for"});
  if (command == "send" || command == "ask") {
    return line.forbid(command, {"remove", "unset", "for"});
  }
  if (command == "vhost") return line.forbid(command, {"listener", "for"});
  if (command == "table") return line.forbid(command, {"remove", "listener", "unset"});
  if (command == "deny" || command == "allow") return line.forbid(command, {"listener", "unset"});
  return line.forbid(command, {"remove", "listener", "unset", "for"});
}

Result<std::string> default_socket(const char* variable) {
  if (variable == nullptr || *variable == '\0') return std::string(kDefaultSocket);
  auto path = read_socket_path(variable);
  if (path) return path;
  return usage_error(fmt::format("$MPBROKER_CONTROL_SOCKET: {}", path.error().text));
}

}  // namespace

Result<Options> read_options(const std::vector<std::string>& arguments,
                             const char* socket_variable) {
  auto read = read_program_line(program(), arguments);
  if (!read) return read.error();
  auto& [options, words] = read->settings;
  options.print = read->print;
  if (!options.print.empty()) return options;
  const OptionLine& line = read->line;
  if (line.arguments.empty()) return usage_error("give a command; --help names them");
  words.command = line.arguments.front();
  words.arguments.assign(line.arguments.begin() + 1, line.arguments.end());
  auto request = build_request(words);
  if (!request) return request.error();
  options.request = *std::move(request);
  if (const auto* prefix = options.request.if_contains("prefix")) {
    options.prefix = prefix->get_string();
  }
  options.mode = mode_of(words.command, options.request);
  if (const Status status = check_options(line, words.command, options.mode); !status) {
    return status.error();
  }
  if (!line.has("control-socket")) {
    auto socket = default_socket(socket_variable);
    if (!socket) return socket.error();
    options.socket = *std::move(socket);
  }
  return options;
}

}  // namespace mpb::ctl
