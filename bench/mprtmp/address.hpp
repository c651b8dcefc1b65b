// How a client says which stream it wants.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/choice.hpp"
#include "common/base/error.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::rtmp_load {

/// Where the vhost is named.
enum class VhostForm : std::uint8_t {
  kTcUrl,   // tcUrl rtmp://VHOST/APP
  kApp,     // app APP?vhost=VHOST
  kStream,  // stream STREAM?vhost=VHOST
};

inline constexpr std::array<Choice<VhostForm>, 3> kForms{
    {{"tcurl", VhostForm::kTcUrl}, {"app", VhostForm::kApp}, {"stream", VhostForm::kStream}}};

struct StreamNames {
  std::string vhost = "v%d.test";  // %d: its number
  std::string app = "live";
  std::string stream = "s";
  VhostForm form = VhostForm::kTcUrl;
  std::uint32_t vhosts = 1;
  std::uint32_t streams =
      1;  // of a vhost; when there are several, their names end with their number

  [[nodiscard]] std::uint32_t total() const { return vhosts * streams; }
};

struct Address {
  std::string tc_url;
  std::string app;
  std::string stream;
  friend bool operator==(const Address&, const Address&) = default;
};

/// Of stream `index` of all: the vhosts take turns, so that the first streams are of different
/// ones.
Address make_address(const StreamNames& names, std::uint32_t index, const Endpoint& target);

}  // namespace mpb::rtmp_load
