#include "mpctl/options.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <limits>

#include <boost/program_options.hpp>

#include "common/config/option_table.hpp"
#include "common/io/endpoint.hpp"
#include "mpctl/options_list.hpp"
#include "mpctl/request.hpp"

namespace mpb::ctl {
namespace {

namespace po = boost::program_options;

using Words = std::vector<std::string>;

constexpr Duration kShortestInterval{100};

bool given(const po::variables_map& values, const char* option) {
  return values.count(option) > 0 && !values[option].defaulted();
}

Mode mode_of(const std::string& command) {
  if (command == "status") return Mode::kStatus;
  if (command == "metrics") return Mode::kMetrics;
  if (command == "health") return Mode::kHealth;
  if (command == "streams") return Mode::kStreams;
  if (command == "upstreams") return Mode::kUpstreams;
  if (command == "hooks") return Mode::kHooks;
  if (command == "watch") return Mode::kWatch;
  if (command == "events") return Mode::kEvents;
  return Mode::kAsk;
}

Status refuse_options(const po::variables_map& values, const std::string& command,
                      std::initializer_list<const char*> options) {
  for (const char* option : options) {
    if (given(values, option)) {
      return usage_error(fmt::format("--{} does not go with {}", option, command));
    }
  }
  return {};
}

Status check_options(const po::variables_map& values, const std::string& command, Mode mode) {
  if (mode != Mode::kWatch) {
    if (auto status = refuse_options(values, command, {"interval", "count"}); !status) {
      return status;
    }
  } else if (values["json"].as<bool>()) {
    return usage_error("--json does not go with watch: repeat status --json instead");
  }
  if ((mode == Mode::kMetrics || mode == Mode::kHealth) && values["json"].as<bool>()) {
    return usage_error(fmt::format("--json does not go with {}: see status --json", command));
  }
  if (command == "route") return refuse_options(values, command, {"unset"});
  if (command == "vhost") return refuse_options(values, command, {"listener"});
  return refuse_options(values, command, {"remove", "listener", "unset"});
}

Status read_watch(const po::variables_map& values, Options& options) {
  const auto interval = parse_duration(values["interval"].as<std::string>());
  if (!interval) return usage_error("--interval: " + interval.error().text);
  if (*interval < kShortestInterval) return usage_error("--interval: at least 100ms");
  options.interval = *interval;
  if (!given(values, "count")) return {};
  const auto count =
      parse_integer(values["count"].as<std::string>(), 1, std::numeric_limits<std::int32_t>::max());
  if (!count) return usage_error("--count: " + count.error().text);
  options.count = static_cast<std::uint64_t>(*count);
  return {};
}

Result<std::string> read_socket(const po::variables_map& values, const char* variable) {
  const bool from_variable = variable != nullptr && *variable != '\0';
  std::string path = from_variable ? variable : kDefaultSocket;
  if (given(values, "control-socket")) path = values["control-socket"].as<std::string>();
  if (const auto endpoint = parse_endpoint("unix:" + path); !endpoint) {
    return usage_error(fmt::format(
        "{}: {}", given(values, "control-socket") ? "--control-socket" : "$MPBROKER_CONTROL_SOCKET",
        endpoint.error().text));
  }
  return path;
}

RequestWords request_words(const po::variables_map& values) {
  const auto text = [&](const char* option) -> std::optional<std::string> {
    if (!given(values, option)) return std::nullopt;
    return values[option].as<std::string>();
  };
  const Words words = values["words"].as<Words>();
  return {words.front(),
          {words.begin() + 1, words.end()},
          text("remove"),
          text("listener"),
          given(values, "unset") ? values["unset"].as<Words>() : Words{}};
}

Result<Options> read_values(const po::variables_map& values, const char* socket_variable) {
  Options options;
  options.json = values["json"].as<bool>();
  if (values.count("words") == 0) return usage_error("give a command; --help names them");
  const RequestWords words = request_words(values);
  auto request = build_request(words);
  if (!request) return request.error();
  options.request = std::move(*request);
  options.mode = mode_of(words.command);
  if (const auto status = check_options(values, words.command, options.mode); !status) {
    return status.error();
  }
  if (const auto status = read_watch(values, options); !status) return status.error();
  auto socket = read_socket(values, socket_variable);
  if (!socket) return socket.error();
  options.socket = std::move(*socket);
  return options;
}

}  // namespace

Result<Options> read_options(const std::vector<std::string>& arguments,
                             const char* socket_variable) {
  // No abbreviations: a script must not change its meaning when an option is added.
  constexpr int kStyle =
      (po::command_line_style::unix_style & ~po::command_line_style::allow_guessing);
  po::options_description all = visible_options();
  all.add_options()("words", po::value<Words>());
  po::positional_options_description order;
  order.add("words", -1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(order).style(kStyle).run(),
              values);
  } catch (const po::unknown_option& error) {
    // What follows = may be a secret: of who wrote --publish-key=SECRET for publish-key=SECRET.
    return usage_error(fmt::format("{}: unknown option; --help lists them",
                                   shown_option(error.get_option_name())));
  } catch (const po::error& error) {
    return usage_error(error.what());
  }
  Options options;
  if (values["help"].as<bool>()) options.mode = Mode::kHelp;
  if (values["version"].as<bool>()) options.mode = Mode::kVersion;
  if (options.mode != Mode::kAsk) return options;
  return read_values(values, socket_variable);
}

}  // namespace mpb::ctl
