// A listener as a worker has it: what its clients speak, who serves them, and what was counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/counters.hpp"
#include "common/config/vhost_settings.hpp"
#include "mpbroker/classifier.hpp"
#include "mpbroker/handler.hpp"

namespace mpb {

struct ServedListener {
  std::uint16_t number = 0;  // the same in all processes
  std::uint16_t space = 0;   // of its keys
  bool serve_local = false;  // clients are served where they were accepted
  bool spread = false;       // those without a key are offered: not all workers accept
  bool prefixed = false;     // a proxy may tell a client's address
  std::string name;
  std::vector<Network> prefix_from;  // peers whose word on a client's address counts
  std::unique_ptr<Classifier> classifier;
  std::unique_ptr<Handler> handler;
  ListenerCounters counters;
};

}  // namespace mpb
