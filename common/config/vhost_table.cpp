#include "common/config/vhost_table.hpp"

#include <utility>

namespace mpb {
namespace {

std::size_t names_handler(const VhostSettings& vhost) {
  return vhost.handler == VhostHandler::kListeners ? 0 : 1;
}

}  // namespace

VhostTable::VhostTable() : defaults_(std::make_shared<const VhostSettings>()) {}

void VhostTable::replace(std::vector<VhostSettings> vhosts) {
  ++version_;
  Map exact;
  Map wildcards;
  own_handlers_ = 0;
  for (VhostSettings& vhost : vhosts) {
    own_handlers_ += names_handler(vhost);
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

std::pair<VhostTable::Map*, std::string> VhostTable::place_of(std::string_view name) {
  if (name.starts_with('*')) return {&wildcards_, std::string(name.substr(1))};
  return {&exact_, std::string(name)};
}

void VhostTable::change(std::vector<VhostSettings> set, std::span<const std::string> removed) {
  ++version_;
  for (const std::string& name : removed) {
    const auto [map, key] = place_of(name);
    const auto known = map->find(key);
    if (known == map->end()) continue;
    own_handlers_ -= names_handler(*known->second);
    map->erase(known);
  }
  for (VhostSettings& vhost : set) {
    auto [map, key] = place_of(vhost.name);
    Settings& place = (*map)[std::move(key)];
    if (place && *place == vhost) continue;
    if (place) own_handlers_ -= names_handler(*place);
    own_handlers_ += names_handler(vhost);
    place = std::make_shared<const VhostSettings>(std::move(vhost));
  }
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
