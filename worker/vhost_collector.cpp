#include "worker/vhost_collector.hpp"

#include <fmt/format.h>

#include <utility>

#include "common/vhost_text.hpp"

namespace mpb {

Result<std::optional<VhostCollector::Vhosts>> VhostCollector::add(const channel::Vhosts& part) {
  if ((part.flags & channel::Vhosts::kFirst) != 0) {
    collecting_ = true;
    text_.clear();
  }
  if (!collecting_) return std::optional<Vhosts>();
  if (part.text.size() > kMaxVhostsText - text_.size()) {
    collecting_ = false;
    text_ = {};
    return limit_error(fmt::format("vhosts of more than {} bytes", kMaxVhostsText));
  }
  text_.append(part.text);
  if ((part.flags & channel::Vhosts::kLast) == 0) return std::optional<Vhosts>();
  collecting_ = false;
  auto vhosts = parse_vhosts(std::exchange(text_, {}), "vhosts");
  if (!vhosts) return vhosts.error();
  return std::optional<Vhosts>(*std::move(vhosts));
}

}  // namespace mpb
