#include "bench/mprtmp/address.hpp"

#include <fmt/format.h>

namespace mpb::rtmp_load {
namespace {

std::string numbered(std::string_view pattern, std::uint32_t number) {
  const std::size_t place = pattern.find("%d");
  if (place == std::string_view::npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, place), number, pattern.substr(place + 2));
}

}  // namespace

std::string_view form_name(VhostForm form) {
  switch (form) {
    case VhostForm::kTcUrl:
      return "tcurl";
    case VhostForm::kApp:
      return "app";
    case VhostForm::kStream:
      return "stream";
  }
  return "?";
}

Result<VhostForm> parse_form(std::string_view text) {
  for (const VhostForm form : {VhostForm::kTcUrl, VhostForm::kApp, VhostForm::kStream}) {
    if (text == form_name(form)) return form;
  }
  return usage_error(fmt::format("'{}' is none of tcurl, app and stream", text));
}

Address make_address(const StreamNames& names, std::uint32_t index, const Endpoint& target) {
  const std::string vhost = numbered(names.vhost, index % names.vhosts);
  Address address;
  address.app = names.app;
  address.stream = names.stream;
  if (names.streams > 1) address.stream += std::to_string(index / names.vhosts);
  if (names.form == VhostForm::kTcUrl) {
    address.tc_url = fmt::format("rtmp://{}/{}", vhost, address.app);
    return address;
  }
  (names.form == VhostForm::kApp ? address.app : address.stream) += "?vhost=" + vhost;
  address.tc_url = fmt::format("rtmp://{}/{}", target.to_string(), address.app);
  return address;
}

}  // namespace mpb::rtmp_load
