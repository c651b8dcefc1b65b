// What a listener's settings say about how its clients are read, as the flags of a Listen.
#pragma once

#include <cstdint>

#include "common/config/settings.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

inline std::uint16_t reading_flags(const ListenerSettings& settings) {
  std::uint16_t flags = 0;
  if (settings.key == KeyGranularity::kApp) flags |= channel::Listen::kKeyIsApp;
  if (settings.key == KeyGranularity::kStream) flags |= channel::Listen::kKeyIsStream;
  if (settings.prefix == ClientPrefix::kProxy) flags |= channel::Listen::kProxyProtocol;
  if (settings.prefix == ClientPrefix::kSrsRealIp) flags |= channel::Listen::kSrsRealIp;
  return flags;
}

}  // namespace mpb
