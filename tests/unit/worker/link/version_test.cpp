// A worker and a broker that speak different versions of the channel.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "common/io/channel.hpp"
#include "common/io/descriptor_passing.hpp"
#include "proto/channel/encode.hpp"
#include "worker/worker.hpp"

namespace mpb {
namespace {

class ChannelVersion : public testing::Test {
 protected:
  void configure(std::uint16_t oldest, std::uint16_t newest) {
    auto pair = make_channel_pair();
    ASSERT_TRUE(pair);
    broker_ = std::move(pair->first);
    ASSERT_TRUE(worker_.join_broker(std::move(pair->second)));
    std::string bytes;
    channel::Configure message;
    message.oldest_version = oldest;
    message.newest_version = newest;
    channel::encode(bytes, message);
    ASSERT_EQ(send_passing(broker_.get(), bytes, {}), static_cast<ssize_t>(bytes.size()));
    loop_.turn(Duration{1'000});
  }

  EventLoop loop_;
  Registry registry_;
  Worker worker_{loop_, registry_};
  UniqueFd broker_;
};

TEST_F(ChannelVersion, OneThatBothSpeakIsWell) {
  configure(channel::kVersion, channel::kVersion + 5);
  EXPECT_EQ(worker_.exit_code(), ExitCode::kOk);
}

TEST_F(ChannelVersion, ABrokerThatIsTooNewIsToldByTheExitCode) {
  configure(channel::kVersion + 1, channel::kVersion + 5);
  EXPECT_EQ(worker_.exit_code(), ExitCode::kUsage);
}

TEST_F(ChannelVersion, ABrokerThatIsTooOldIsToldByTheExitCode) {
  configure(channel::kVersion - 1, channel::kVersion - 1);
  EXPECT_EQ(worker_.exit_code(), ExitCode::kUsage);
}

}  // namespace
}  // namespace mpb
