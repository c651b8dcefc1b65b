// Vhosts, apps and stream names: whatever comes out is normalised and bounded. An input is read as
// the payload of a command, as "app \n tcUrl" of a connect, as a stream name and as a vhost.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proto/rtmp/location.hpp"
#include "tests/fuzz/check.hpp"

namespace {

using namespace mpb::rtmp;

void check_name(std::string_view name) {
  MPB_FUZZ_REQUIRE(name.size() <= kMaxName);
  MPB_FUZZ_REQUIRE(std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  }));
}

void check_vhost(const std::string& vhost) {
  check_name(vhost);
  MPB_FUZZ_REQUIRE(vhost.size() <= kMaxVhost);
  MPB_FUZZ_REQUIRE(!vhost.empty() && vhost.find('/') == std::string::npos);
  MPB_FUZZ_REQUIRE(normalize_vhost(vhost) == vhost);
}

void check_parameters(std::string_view parameters) {
  MPB_FUZZ_REQUIRE(!find_parameter(parameters, "vhost") && !find_parameter(parameters, "domain"));
}

void check_connect(const Command& command) {
  const std::optional<ConnectTarget> target = read_connect(command);
  if (!target) return;
  check_vhost(target->vhost);
  check_name(target->app);
  MPB_FUZZ_REQUIRE(!target->app.empty());
  MPB_FUZZ_REQUIRE(!target->app.starts_with('/') && !target->app.ends_with('/'));
  MPB_FUZZ_REQUIRE(target->app.find('?') == std::string::npos);
  MPB_FUZZ_REQUIRE(target->tc_url.size() <= kMaxName);
  check_parameters(target->parameters);
}

void check_stream(std::string_view name) {
  const std::optional<StreamTarget> target = read_stream_name(name);
  if (!target) return;
  check_name(target->stream);
  if (!target->vhost.empty()) check_vhost(target->vhost);
  check_parameters(target->parameters);
}

/// A connect whose app ends at the first line feed; tcUrl is the rest.
Command connect_of(std::string_view text) {
  const auto end = std::min(text.find('\n'), text.size());
  mpb::amf0::Object object;
  object.properties.emplace_back("app", std::string(text.substr(0, end)));
  object.properties.emplace_back("tcUrl", std::string(text.substr(std::min(end + 1, text.size()))));
  Command command{"connect", 1, {}};
  command.arguments.emplace_back(std::move(object));
  return command;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto vhost = normalize_vhost(bytes)) check_vhost(*vhost);
  check_stream(bytes);
  check_connect(connect_of(bytes));
  Message message;
  message.payload = bytes;
  for (const auto type : {MessageType::kCommandAmf0, MessageType::kCommandAmf3}) {
    message.type = type;
    const std::optional<Command> command = read_command(message);
    if (!command) continue;
    check_connect(*command);
    check_stream(command->text(1));
  }
  return 0;
}
