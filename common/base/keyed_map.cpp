#include "common/base/keyed_map.hpp"

#include <sys/auxv.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

namespace mpb {
namespace {

SipKey draw_key() {
  SipKey key;
  ssize_t drawn = 0;
  do drawn = ::getrandom(&key, sizeof key, 0);
  while (drawn < 0 && errno == EINTR);
  if (drawn == sizeof key) return key;
  // Forbidden by a filter: the kernel gave each program 16 random bytes at its start.
  const auto given = ::getauxval(AT_RANDOM);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): that is how getauxval(3) gives an address
  if (given != 0) std::memcpy(&key, reinterpret_cast<const void*>(given), sizeof key);
  return key;
}

}  // namespace

const SipKey& hash_key() {
  static const SipKey kKey = draw_key();
  return kKey;
}

}  // namespace mpb
