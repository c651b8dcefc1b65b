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
