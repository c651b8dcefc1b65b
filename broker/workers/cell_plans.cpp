#include "broker/workers/cell_plans.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "broker/workers/worker_program.hpp"
#include "common/config/rule_facts.hpp"

namespace mpb {
namespace {

constexpr Credentials kNobody{65'534, 65'534};  // whoever is not admitted, by a mistake of ours

bool is_wildcard(const KeySettings& key) {
  return key.pattern.find('*') != std::string::npos;
}

bool is_of(const KeySettings& key, std::string_view protocol) {
  return key.protocol.empty() || key.protocol == protocol;
}

std::string name_of_account(const CellSettings& cell) {
  return fmt::format("{}:{}", cell.user, cell.group);
}

}  // namespace

bool matches(std::string_view pattern, std::string_view key) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == key;
  return key.size() + 1 >= pattern.size() && key.starts_with(pattern.substr(0, star)) &&
         key.ends_with(pattern.substr(star + 1));
}

Status CellPlans::admit(const CellSettings& cell) {
  if (cell.user.empty()) return {};
  const auto account = cell_account(cell);
  if (!account) return account.error();
  accounts_.insert_or_assign(name_of_account(cell), *account);
  return {};
}

Status CellPlans::admit_all(const Settings& settings) {
  const auto told = [](std::string_view kind, std::string_view name, const Status& why) {
    return usage_error(fmt::format("[{} {}] {}", kind, name, why.error().text));
  };
  for (const VhostSettings& vhost : settings.vhosts) {
    if (const Status good = admit(vhost.cell); !good) return told("vhost", vhost.name, good);
  }
  for (const KeySettings& key : settings.keys) {
    if (const Status good = admit(key.cell); !good) return told("key", key.pattern, good);
  }
  return {};
}

void CellPlans::replace(std::vector<KeySettings> keys) {
  keys_ = std::move(keys);
  std::stable_sort(keys_.begin(), keys_.end(), [](const KeySettings& a, const KeySettings& b) {
    if (is_wildcard(a) != is_wildcard(b)) return is_wildcard(b);
    return is_wildcard(a) && a.pattern.size() > b.pattern.size();
  });
  exact_.clear();
  for (std::size_t i = 0; i < keys_.size() && !is_wildcard(keys_[i]); ++i) {
    exact_.emplace(keys_[i].pattern, i);
  }
}

const CellSettings* CellPlans::find(std::string_view protocol, std::string_view key) const {
  const auto unless_usual = [](const CellSettings& cell) {
    return cell == CellSettings{} ? nullptr : &cell;
  };
  if (protocol == kRtmp) return vhosts_.cell_of(key.substr(0, key.find('/')));
  if (keys_.empty()) return nullptr;
  if (const auto own = exact_.find(key); own != exact_.end()) {
    const KeySettings& settings = keys_[own->second];
    if (is_of(settings, protocol)) return unless_usual(settings.cell);
  }
  for (std::size_t i = exact_.size(); i < keys_.size(); ++i) {
    if (is_of(keys_[i], protocol) && matches(keys_[i].pattern, key)) {
      return unless_usual(keys_[i].cell);
    }
  }
  return nullptr;
}

CellRun CellPlans::run(const CellSettings& cell, bool by_group) const {
  CellRun run;
  if (!cell.user.empty()) {
    run.user = cell.user;
    const auto account = accounts_.find(name_of_account(cell));
    run.run_as = account != accounts_.end() ? account->second : kNobody;
  }
  run.nofile = cell.nofile;
  if (cell.nofile > 0) run.limits.push_back({RLIMIT_NOFILE, cell.nofile});
  if (cell.memory_max > 0 && !by_group) run.limits.push_back({RLIMIT_DATA, cell.memory_max});
  return run;
}

bool CellPlans::want_groups() const {
  const auto wants = [](const CellSettings& cell) {
    return cell.memory_max > 0 || cell.cpu_weight != kUsualCpuWeight;
  };
  return vhosts_.any_cell(wants) || std::ranges::any_of(keys_, wants, &KeySettings::cell);
}

std::uint64_t CellPlans::most_descriptors() const {
  std::uint64_t most = 0;
  const auto look = [&most](const CellSettings& cell) {
    most = std::max(most, cell.nofile);
    return false;
  };
  vhosts_.any_cell(look);
  for (const KeySettings& key : keys_) look(key.cell);
  return most;
}

}  // namespace mpb
