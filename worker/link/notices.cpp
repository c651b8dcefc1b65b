#include "worker/link/notices.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>

#include "common/base/utf8.hpp"
#include "common/io/endpoint.hpp"
#include "common/log/log.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

void log(const Notice& notice) {
  const bool refused = notice.kind == Notice::Kind::kRefused;
  LogLine line(refused ? LogLevel::kWarning : LogLevel::kInfo, to_string(notice.kind));
  for_each_text(
      notice, [&line](std::string_view name, std::string_view text) { line(name, as_utf8(text)); });
  if (notice.suppressed > 0) line("suppressed", notice.suppressed);
}

/// Parameters of a name are taken off it before it is told. In a mistyped one ("s&key=SECRET") they
/// are a part of it.
std::size_t end_of_secretless(std::string_view name) {
  constexpr std::array<std::string_view, 7> kSecrets{
      "key=", "token=", "secret=", "pass=", "password=", "auth=", "sign="};
  const auto same = [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); };
  const auto is_of_a_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  };
  std::size_t end = name.size();
  for (const std::string_view secret : kSecrets) {
    const auto found =
        std::search(name.begin(), name.end(), secret.begin(), secret.end(),
                    [&](char of_name, char of_secret) { return same(of_secret, of_name); });
    if (found == name.end()) continue;
    auto begin = found;
    while (begin != name.begin() && is_of_a_word(*std::prev(begin))) --begin;
    end = std::min(end, static_cast<std::size_t>(begin - name.begin()));
  }
  return end;
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
    *text = utf8_prefix(*text, channel::kMaxName).substr(0, end_of_secretless(*text));
  }
  if (!sink_ || !sink_(told)) log(told);
}

}  // namespace mpb
