#include "broker/operator/service_state.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

/// Slots 0 and 1 are base workers, 2 an extra one.
class ServiceStateTest : public testing::Test {
 protected:
  ServiceStateTest() { workers_.resize(3); }

  void set(Slot slot, WorkerState state, bool failing = false) {
    workers_.begin_incarnation(slot);
    workers_.set_state(slot, state);
    workers_.set_failing(slot, failing);
  }
  [[nodiscard]] ServiceView view(Slot acceptors = UINT16_MAX) const {
    return view_service(workers_, 2, acceptors);
  }

  WorkerTable workers_{0, 4};
};

TEST_F(ServiceStateTest, RunsWhileBaseWorkersAreOnlineOrComing) {
  for (const WorkerState state : {WorkerState::kOnline, WorkerState::kStarting,
                                  WorkerState::kBackoff, WorkerState::kDraining}) {
    set(0, state);
    set(1, WorkerState::kOnline);
    EXPECT_EQ(view().state, ServiceState::kRunning) << to_string(state);
    EXPECT_EQ(view().culprit, kNoSlot);
    EXPECT_TRUE(view().alive);
  }
}

TEST_F(ServiceStateTest, IsDegradedWithoutOneOfThem) {
  set(0, WorkerState::kOnline);
  set(1, WorkerState::kParked);
  EXPECT_EQ(view().state, ServiceState::kDegraded);
  EXPECT_EQ(view().culprit, 1);
  for (const WorkerState state : {WorkerState::kStarting, WorkerState::kBackoff}) {
    set(1, state, true);
    EXPECT_EQ(view().state, ServiceState::kDegraded) << to_string(state);
  }
  EXPECT_TRUE(view().alive);
}

TEST_F(ServiceStateTest, IsDownWithoutAll) {
  set(0, WorkerState::kBackoff, true);
  set(1, WorkerState::kParked);
  EXPECT_EQ(view().state, ServiceState::kDown);
  EXPECT_EQ(view().culprit, 0);
  EXPECT_FALSE(view().alive);
  set(2, WorkerState::kOnline);
  EXPECT_EQ(view().state, ServiceState::kDegraded) << "an extra worker serves, too";
  set(2, WorkerState::kDraining);
  EXPECT_EQ(view().state, ServiceState::kDown) << "it takes no more";
  EXPECT_TRUE(view().alive) << "but has clients, which a restart would cost";
}

TEST_F(ServiceStateTest, IsDownWithoutAnAcceptor) {
  set(0, WorkerState::kParked);
  set(1, WorkerState::kOnline);
  EXPECT_EQ(view(1).state, ServiceState::kDown);
  EXPECT_TRUE(view(1).alive);
  EXPECT_EQ(view(2).state, ServiceState::kDegraded);
}

TEST_F(ServiceStateTest, AFailingWorkerStaysSoAtItsNextStart) {
  set(0, WorkerState::kBackoff, true);
  workers_.begin_incarnation(0);
  EXPECT_FALSE(workers_.coming(0));
  workers_.set_failing(0, false);
  EXPECT_TRUE(workers_.coming(0));
}

}  // namespace
}  // namespace mpb
