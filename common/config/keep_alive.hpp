// How it is found out that a client has vanished without a word (tcp(7)).
#pragma once

#include <chrono>

namespace mpb {

struct KeepAlive {
  bool on = true;
  std::chrono::seconds idle{60};      // nothing came for so long: ask
  std::chrono::seconds interval{15};  // between questions without an answer
  int probes = 4;                     // so many without an answer: the client is gone

  /// How long a client is believed to be there after its last sign of life.
  [[nodiscard]] std::chrono::seconds patience() const { return idle + interval * probes; }
  friend bool operator==(const KeepAlive&, const KeepAlive&) = default;
};

}  // namespace mpb
