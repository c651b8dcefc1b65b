// A broker that mpguard runs, and the end of one after the other.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {

inline BrokerSetup held(std::vector<std::string> arguments) {
  BrokerSetup setup;
  setup.held = true;
  setup.arguments = std::move(arguments);
  return setup;
}

/// Kills the broker and waits for the next one.
inline void replace(const BrokerProcess& broker) {
  const pid_t before = broker.kill_broker();
  ASSERT_TRUE(broker.await_next_broker(before)) << "no broker followed";
}

}  // namespace mpb::test
