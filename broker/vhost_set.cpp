#include "broker/vhost_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/option_values.hpp"
#include "common/settings_builder.hpp"
#include "common/vhost_text.hpp"
#include "common/vhost_values.hpp"

namespace mpb {
namespace {

Result<std::string> normalise(std::string_view name) {
  auto read = read_vhost_name(name);
  if (read) return read;
  return usage_error(fmt::format("vhost '{}': {}", printable(name), read.error().text));
}

}  // namespace

bool VhostSet::replace(std::vector<VhostSettings> vhosts) {
  if (vhosts == vhosts_) return false;
  vhosts_ = std::move(vhosts);
  texts_ = format_vhosts(vhosts_);
  return true;
}

VhostSet::Vhosts::iterator VhostSet::find(std::string_view name) {
  return std::find_if(vhosts_.begin(), vhosts_.end(),
                      [&](const VhostSettings& vhost) { return vhost.name == name; });
}

Status VhostSet::accept(const Settings& settings) {
  if (vhosts_.size() > kMaxVhosts) {
    return usage_error(fmt::format("expected at most {} vhosts", kMaxVhosts));
  }
  for (const ListenerSettings& listener : settings.listeners) {
    if (settings.worker_program.empty() && forwards_to_nowhere(listener, vhosts_)) {
      return usage_error(
          fmt::format("no vhost would have an upstream, which listener {} needs", listener.name));
    }
  }
  std::vector<std::string> texts = format_vhosts(vhosts_);
  const std::size_t size =
      std::accumulate(texts.begin(), texts.end(), std::size_t{0},
                      [](std::size_t sum, const std::string& text) { return sum + text.size(); });
  if (size > kMaxVhostsText) {
    return usage_error(fmt::format("expected at most {} bytes for all vhosts", kMaxVhostsText));
  }
  texts_ = std::move(texts);
  return {};
}

Status VhostSet::change(std::string_view name, std::span<const std::string> assignments,
                        std::span<const std::string> unset, const Settings& settings) {
  const auto normalised = normalise(name);
  if (!normalised) return normalised.error();
  const auto known = find(*normalised);
  const bool is_new = known == vhosts_.end();
  VhostSettings changed;
  if (!is_new) changed = *known;
  changed.name = *normalised;
  Status done = unset_in_vhost(changed, unset);
  if (done) done = change_vhost(changed, assignments);
  if (!done) {
    return usage_error(fmt::format("vhost {}: {}", *normalised, done.error().text));
  }
  if (const Status sound = check_vhost(changed); !sound) {
    return usage_error(fmt::format("vhost {}: {}", *normalised, sound.error().text));
  }
  if (is_new) {
    vhosts_.push_back(std::move(changed));
  } else {
    std::swap(*known, changed);
  }
  Status accepted = accept(settings);
  if (accepted) return accepted;
  if (is_new) {
    vhosts_.pop_back();
  } else {
    std::swap(*known, changed);
  }
  return usage_error(fmt::format("vhost {}: {}", *normalised, accepted.error().text));
}

Status VhostSet::remove(std::string_view name, const Settings& settings) {
  const auto normalised = normalise(name);
  if (!normalised) return normalised.error();
  const auto known = find(*normalised);
  if (known == vhosts_.end()) {
    return usage_error(fmt::format("there is no vhost '{}'", *normalised));
  }
  const auto index = known - vhosts_.begin();
  VhostSettings removed = std::move(*known);
  vhosts_.erase(known);
  Status accepted = accept(settings);
  if (accepted) return accepted;
  vhosts_.insert(vhosts_.begin() + index, std::move(removed));
  return usage_error(fmt::format("vhost {}: {}", *normalised, accepted.error().text));
}

}  // namespace mpb
