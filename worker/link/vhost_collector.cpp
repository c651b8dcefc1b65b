#include "worker/link/vhost_collector.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "common/config/vhost_text.hpp"

namespace mpb {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace

Result<std::optional<VhostNews>> VhostCollector::add(const channel::Vhosts& part) {
  using channel::Vhosts;
  if ((part.flags & Vhosts::kFirst) != 0) {
    collecting_ = true;
    whole_ = (part.flags & Vhosts::kChange) == 0;
    text_.clear();
    removed_.clear();
  }
  if (!collecting_) return std::optional<VhostNews>();
  if (part.text.size() > kMaxVhostsText - text_.size() - removed_.size()) {
    collecting_ = false;
    text_ = removed_ = {};
    return limit_error(fmt::format("vhosts of more than {} bytes", kMaxVhostsText));
  }
  const bool names = !whole_ && (part.flags & Vhosts::kRemoved) != 0;
  (names ? removed_ : text_).append(part.text);
  if ((part.flags & Vhosts::kLast) == 0) return std::optional<VhostNews>();
  collecting_ = false;
  auto vhosts = parse_vhosts(std::exchange(text_, {}), "vhosts");
  if (!vhosts) return vhosts.error();
  return std::optional(
      VhostNews{whole_, *std::move(vhosts), lines_of(std::exchange(removed_, {}))});
}

}  // namespace mpb
