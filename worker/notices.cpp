#include "worker/notices.hpp"

#include <string>
#include <utility>

#include "common/endpoint.hpp"
#include "common/log.hpp"
#include "common/utf8.hpp"
#include "proto/message.hpp"

namespace mpb {
namespace {

void log(const Notice& notice) {
  const bool refused = notice.kind == Notice::Kind::kRefused;
  LogLine line(refused ? LogLevel::kWarning : LogLevel::kInfo, to_string(notice.kind));
  for_each_text(
      notice, [&line](std::string_view name, std::string_view text) { line(name, as_utf8(text)); });
  if (notice.suppressed > 0) line("suppressed", notice.suppressed);
}

}  // namespace

void Notices::tell(const Notice& notice, std::string_view section, int socket, TimePoint now) {
  if (notice.kind == Notice::Kind::kRefused) ++refused_[static_cast<std::size_t>(notice.reason)];
  const auto suppressed = limit_.admit(notice, section, now);
  if (!suppressed) return;
  Notice told = notice;
  told.suppressed = *suppressed;
  const std::string peer = notice.address.empty() ? peer_text(socket) : std::string();
  if (notice.address.empty()) told.address = peer;
  for (std::string_view* text : {&told.address, &told.vhost, &told.app, &told.stream, &told.key}) {
    *text = utf8_prefix(*text, channel::kMaxName);
  }
  if (!sink_ || !sink_(told)) log(told);
}

}  // namespace mpb
