#include "broker/workers/vhost_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/keyed_map.hpp"
#include "common/config/option_values.hpp"
#include "common/config/settings_builder.hpp"
#include "common/config/vhost_text.hpp"
#include "common/config/vhost_values.hpp"

namespace mpb {
namespace {

Result<std::string> normalise(std::string_view name) {
  auto read = read_vhost_name(name);
  if (read) return read;
  // A name was forgotten before KEY=VALUE, perhaps.
  const bool is_assignment = name.find('=') != std::string_view::npos;
  return usage_error(
      fmt::format("vhost '{}': {}", is_assignment ? "..." : printable(name), read.error().text));
}

/// A key that is set and unset at once could be meant either way.
Status check_apart(std::span<const std::string> assignments, std::span<const std::string> unset) {
  for (const std::string_view assignment : assignments) {
    const std::string_view key = assignment.substr(0, assignment.find('='));
    if (std::find(unset.begin(), unset.end(), key) == unset.end()) continue;
    return usage_error(fmt::format("{}: set and unset at once", shown_key(key)));
  }
  return {};
}

Error told_of(std::string_view name, const Status& why) {
  return usage_error(fmt::format("vhost {}: {}", name, why.error().text));
}

}  // namespace

void VhostSet::Totals::add(const Vhost& vhost) {
  ++vhosts;
  size += vhost.text.size();
  if (vhost.settings.cell != CellSettings{}) ++cells;
  if (vhost.settings.handler == VhostHandler::kRelay) {
    ++relayed;
  } else if (!vhost.settings.upstreams.empty()) {
    ++forwarded;
  }
}

void VhostSet::Totals::take(const Vhost& vhost) {
  Totals one;
  one.add(vhost);
  vhosts -= one.vhosts;
  size -= one.size;
  relayed -= one.relayed;
  forwarded -= one.forwarded;
  cells -= one.cells;
}

VhostSet::Vhost* VhostSet::find(std::string_view name) {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &vhosts_[found->second];
}

VhostSet::Vhost& VhostSet::put(VhostSettings settings, std::string text) {
  Vhost* vhost = find(settings.name);
  if (vhost == nullptr) {
    places_[settings.name] = vhosts_.size();
    vhost = &vhosts_.emplace_back();
  }
  if (!vhost->text.empty()) totals_.take(*vhost);
  *vhost = {std::move(settings), std::move(text)};
  totals_.add(*vhost);
  return *vhost;
}

void VhostSet::take(std::string_view name) {
  const auto found = places_.find(name);
  Vhost& gone = vhosts_[found->second];
  totals_.take(gone);
  if (&gone != &vhosts_.back()) {
    places_[vhosts_.back().settings.name] = found->second;
    gone = std::move(vhosts_.back());
  }
  vhosts_.pop_back();
  places_.erase(found);
}

std::optional<VhostChange> VhostSet::replace(std::vector<VhostSettings> vhosts) {
  changes_.clear();
  TextPacker set;
  TextPacker removed;
  KeyedMap<std::string_view, const VhostSettings*> wanted;
  for (const VhostSettings& vhost : vhosts) wanted.emplace(vhost.name, &vhost);
  std::vector<std::string> gone;
  for (const Vhost& vhost : vhosts_) {
    if (!wanted.contains(vhost.settings.name)) gone.push_back(vhost.settings.name);
  }
  for (const std::string& name : gone) {
    take(name);
    removed.add(name + '\n');
  }
  VhostFormat format;
  for (VhostSettings& vhost : vhosts) {
    const Vhost* before = find(vhost.name);
    if (before != nullptr && before->settings == vhost) continue;
    std::string text = format.section(vhost);
    set.add(text);
    put(std::move(vhost), std::move(text));
  }
  VhostChange change{set.take(), removed.take(), {}};
  if (change.set.empty() && change.removed.empty()) return std::nullopt;
  return change;
}

Status VhostSet::check(const Totals& totals, const Settings& settings) {
  if (totals.vhosts > kMaxVhosts) {
    return usage_error(fmt::format("expected at most {} vhosts", kMaxVhosts));
  }
  if (totals.size > kMaxVhostsText) {
    return usage_error(fmt::format("expected at most {} bytes for all vhosts", kMaxVhostsText));
  }
  const bool all_relayed = totals.vhosts > 0 && totals.relayed == totals.vhosts;
  if (totals.forwarded > 0 || all_relayed || !settings.worker_program.empty()) return {};
  for (const ListenerSettings& listener : settings.listeners) {
    if (forwards_to_nowhere(listener, {})) {
      return usage_error(
          fmt::format("no vhost would have an upstream, which listener {} needs", listener.name));
    }
  }
  return {};
}

Result<std::vector<Warning>> VhostSet::judge(const VhostSettings& vhost,
                                             std::span<const std::string> assignments,
                                             const Settings& settings) const {
  if (admit_cell_) {
    if (const Status admitted = admit_cell_(vhost.cell); !admitted) return admitted.error();
  }
  return judge_changes(vhost, assignments, settings);
}

Result<VhostChange> VhostSet::change(std::string_view name,
                                     std::span<const std::string> assignments,
                                     std::span<const std::string> unset, const Settings& settings) {
  const auto normalised = normalise(name);
  if (!normalised) return normalised.error();
  const Vhost* known = find(*normalised);
  VhostSettings changed = known != nullptr ? known->settings : VhostSettings{};
  changed.name = *normalised;
  Status done = check_apart(assignments, unset);
  if (done) done = unset_in_vhost(changed, unset);
  if (done) done = change_vhost(changed, assignments);
  if (done) done = check_vhost(changed);
  Result<std::vector<Warning>> warnings;
  if (done) {
    warnings = judge(changed, assignments, settings);
    if (!warnings) done = warnings.error();
  }
  if (!done) {
    return told_of(*normalised, done);
  }
  Vhost after{std::move(changed), {}};
  after.text = VhostFormat().section(after.settings);
  Totals totals = totals_;
  if (known != nullptr) totals.take(*known);
  totals.add(after);
  const Status accepted = check(totals, settings);
  if (!accepted) return told_of(*normalised, accepted);
  const Vhost& there = put(std::move(after.settings), std::move(after.text));
  changes_[*normalised] = there.text;
  return VhostChange{{there.text}, {}, *std::move(warnings)};
}

Result<VhostChange> VhostSet::remove(std::string_view name, const Settings& settings) {
  const auto normalised = normalise(name);
  if (!normalised) return normalised.error();
  const Vhost* known = find(*normalised);
  if (known == nullptr) return usage_error(fmt::format("there is no vhost '{}'", *normalised));
  Totals totals = totals_;
  totals.take(*known);
  const Status accepted = check(totals, settings);
  if (!accepted) return told_of(*normalised, accepted);
  take(*normalised);
  changes_[*normalised].clear();
  VhostChange change{{}, {*normalised + '\n'}, {}};
  if (vhosts_.empty()) {
    change.warnings.push_back({"vhost " + *normalised,
                               "it was the last one: now every name is a vhost, and open to all",
                               Gravity::kDoubtful});
  }
  return change;
}

std::vector<std::string> VhostSet::resume(const std::map<std::string, std::string>& changes,
                                          const Settings& settings) {
  std::vector<std::string> dropped;
  for (const auto& [name, text] : changes) {
    if (text.empty()) {
      if (find(name) != nullptr) take(name);
      changes_[name].clear();
      continue;
    }
    auto vhosts = parse_vhosts(text, "the state of the broker before");
    if (!vhosts || vhosts->size() != 1 || vhosts->front().name != name) continue;
    if (const auto judged = judge(vhosts->front(), {}, settings); !judged) {
      dropped.push_back(told_of(name, judged.error()).text);
      continue;
    }
    put(std::move(vhosts->front()), text);
    changes_[name] = text;
  }
  return dropped;
}

const CellSettings* VhostSet::cell_of(std::string_view name) const {
  if (totals_.cells == 0) return nullptr;
  auto found = places_.find(name);
  // At each dot: the longest wildcard first.
  for (auto dot = name.find('.', 1); found == places_.end() && dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    found = places_.find("*" + std::string(name.substr(dot)));
  }
  if (found == places_.end()) return nullptr;
  const CellSettings& cell = vhosts_[found->second].settings.cell;
  return cell == CellSettings{} ? nullptr : &cell;
}

std::vector<std::string> VhostSet::texts() const {
  TextPacker packer;
  for (const Vhost& vhost : vhosts_) packer.add(vhost.text);
  return packer.take();
}

}  // namespace mpb
