#include "common/vhost_table.hpp"

#include <utility>

namespace mpb {

VhostTable::VhostTable() : defaults_(std::make_shared<const VhostSettings>()) {}

void VhostTable::replace(std::vector<VhostSettings> vhosts) {
  ++version_;
  Map exact;
  Map wildcards;
  has_handlers_ = false;
  for (VhostSettings& vhost : vhosts) {
    has_handlers_ = has_handlers_ || vhost.handler != VhostHandler::kListeners;
    const bool wildcard = vhost.name.starts_with('*');
    const Map& before = wildcard ? wildcards_ : exact_;
    std::string key = wildcard ? vhost.name.substr(1) : vhost.name;
    const auto known = before.find(key);
    Settings settings = known != before.end() && *known->second == vhost
                            ? known->second
                            : std::make_shared<const VhostSettings>(std::move(vhost));
    (wildcard ? wildcards : exact).insert_or_assign(std::move(key), std::move(settings));
  }
  exact_ = std::move(exact);
  wildcards_ = std::move(wildcards);
}

VhostTable::Settings VhostTable::find_configured(std::string_view name) const {
  const auto own = exact_.find(name);
  if (own != exact_.end()) return own->second;
  if (wildcards_.empty()) return nullptr;
  // At each dot: the longest wildcard first.
  for (auto dot = name.find('.', 1); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    const auto wildcard = wildcards_.find(name.substr(dot));
    if (wildcard != wildcards_.end()) return wildcard->second;
  }
  return nullptr;
}

std::string VhostTable::resolve(std::string_view name) const {
  if (size() == 0 || find_configured(name) != nullptr) return std::string(name);
  return exact_.contains(kDefaultVhost) ? std::string(kDefaultVhost) : std::string();
}

std::shared_ptr<const VhostSettings> VhostTable::find(std::string_view name) const {
  Settings own = find_configured(name);
  return own != nullptr ? own : defaults_;
}

}  // namespace mpb
