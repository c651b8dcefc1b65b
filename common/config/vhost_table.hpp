// The vhosts that are configured. Look-up is O(1) in their number.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/keyed_map.hpp"
#include "common/config/vhost_settings.hpp"

namespace mpb {

class VhostTable {
 public:
  VhostTable();

  /// Takes the place of what was there. Settings that are equal to those of before stay the same
  /// object. Without any vhost every name is served with the defaults.
  void replace(std::vector<VhostSettings> vhosts);

  /// Takes `removed` away, and sets or adds `set`; the others stay as they are, also as objects.
  void change(std::vector<VhostSettings> set, std::span<const std::string> removed);

  /// The name under which clients of `name` (normalised) are served: `name` itself when it is
  /// configured, matches a wildcard, or nothing is configured; else "__defaultVhost__" when that
  /// is configured; else empty: refused.
  [[nodiscard]] std::string resolve(std::string_view name) const;

  /// The settings for a name that resolve() gave: its own, else the longest wildcard's, else the
  /// defaults. Held by the caller, they outlive a reload. Never null.
  [[nodiscard]] std::shared_ptr<const VhostSettings> find(std::string_view name) const;

  /// Whether some say themselves which handler serves them.
  [[nodiscard]] bool has_handlers() const { return own_handlers_ > 0; }

  /// Grows with each replace() and change(): who keeps settings looks again when it has changed.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::size_t size() const { return exact_.size() + wildcards_.size(); }

 private:
  using Settings = std::shared_ptr<const VhostSettings>;
  using Map = KeyedMap<std::string, Settings>;

  /// Where a vhost of this name has its place, and under which key.
  std::pair<Map*, std::string> place_of(std::string_view name);
  [[nodiscard]] Settings find_configured(std::string_view name) const;

  Map exact_;
  Map wildcards_;  // by what is behind the "*": ".example.com"
  Settings defaults_;
  std::uint64_t version_ = 0;
  std::size_t own_handlers_ = 0;  // how many say which handler serves them
};

}  // namespace mpb
