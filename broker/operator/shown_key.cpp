#include "broker/operator/shown_key.hpp"

#include "common/base/plain_text.hpp"

namespace mpb {

std::string shown_key_of(std::string_view key) {
  constexpr std::size_t kMost = 128;  // bytes
  if (key.size() <= kMost) return plain_text(key);
  return plain_text(key.substr(0, kMost)) + "...";
}

}  // namespace mpb
