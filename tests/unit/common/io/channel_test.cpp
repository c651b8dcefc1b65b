#include "common/io/channel.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/io/descriptor_passing.hpp"
#include "proto/channel/message.hpp"
#include "tests/support/descriptors.hpp"
#include "tests/support/exceeded_quota.hpp"

namespace mpb {
namespace {

using test::content_of;
using test::make_tagged_fd;
using test::open_descriptors;

constexpr std::size_t kMaxQueued = 64;

struct Received {
  std::string bytes;
  UniqueFd fd;
  bool descriptor_lost = false;
};

struct Recorder final : ChannelHandler {
  void on_datagram(Datagram& datagram) override {
    ++seen;
    if (keep) {
      received.push_back(
          {std::string(datagram.bytes), std::move(datagram.fd), datagram.descriptor_lost});
    }
    if (action) action();
  }
  void on_channel_broken(const Error& why) override {
    ++broken;
    error = why;
  }
  bool keep = true;
  int seen = 0;
  std::vector<Received> received;
  std::function<void()> action;
  int broken = 0;
  Error error;
};

/// A datagram as a faulty or hostile peer may send it: any number of descriptors.
bool send_raw(int socket, std::string_view bytes, const std::vector<int>& fds = {}) {
  return send_passing<kMostPassed>(socket, bytes, fds) == static_cast<ssize_t>(bytes.size());
}

/// A channel under test and, as its peer, a bare socket or a second channel.
class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    auto pair = make_channel_pair();
    if (!pair) throw std::runtime_error(pair.error().text);
    channel.emplace(loop, std::move(pair->first), handler, kMaxQueued);
    peer = std::move(pair->second);
  }
  void SetUp() override { ASSERT_TRUE(channel->open()); }

  void turns(int count = 4) {
    for (int i = 0; i < count; ++i) loop.turn(Duration{0});
  }
  void expect_broken(ErrorKind kind, std::string_view text) {
    EXPECT_EQ(handler.broken, 1);
    EXPECT_EQ(handler.error.kind, kind);
    EXPECT_EQ(handler.error.text, text);
    EXPECT_FALSE(channel->is_open());
  }
  /// Those that are no TCP sockets are closed by a thread.
  static void expect_descriptors(std::size_t count) {
    EXPECT_TRUE(test::foreign_descriptors_closed());
    EXPECT_EQ(open_descriptors(), count);
  }
  /// Until the kernel takes no more and one datagram waits; gives how many were sent.
  int fill() {
    int sent = 0;
    while (channel->queued() == 0) {
      if (const Status status = channel->send(numbered(sent)); !status) {
        ADD_FAILURE() << status.error().text;
        return sent;
      }
      ++sent;
    }
    return sent;
  }
  static std::string numbered(int number) {
    std::string bytes = std::to_string(number);
    return bytes.append(4096 - bytes.size(), ' ');
  }

  EventLoop loop;
  Recorder handler;
  std::optional<Channel> channel;
  UniqueFd peer;
};

// --- receiving -----------------------------------------------------------------------------------

TEST_F(ChannelTest, ThePairIsCloseOnExecAndNonBlocking) {
  const auto pair = make_channel_pair();
  ASSERT_TRUE(pair);
  for (const int fd : {pair->first.get(), pair->second.get()}) {
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST_F(ChannelTest, ADatagramWithoutADescriptor) {
  ASSERT_TRUE(send_raw(peer.get(), "hello"));
  turns();
  ASSERT_EQ(handler.received.size(), 1U);
  EXPECT_EQ(handler.received[0].bytes, "hello");
  EXPECT_FALSE(handler.received[0].fd);
  EXPECT_FALSE(handler.received[0].descriptor_lost);
}

TEST_F(ChannelTest, ADatagramWithADescriptor) {
  const UniqueFd sent = make_tagged_fd("tag");
  ASSERT_TRUE(send_raw(peer.get(), "hello", {sent.get()}));
  turns();
  ASSERT_EQ(handler.received.size(), 1U);
  ASSERT_TRUE(handler.received[0].fd);
  EXPECT_EQ(content_of(handler.received[0].fd.get()), "tag");
  EXPECT_NE(::fcntl(handler.received[0].fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(handler.broken, 0);
}

TEST_F(ChannelTest, ADescriptorTheHandlerDoesNotTakeIsClosed) {
  handler.keep = false;
  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(send_raw(peer.get(), "x", {sent.get()}));
  turns();
  EXPECT_EQ(handler.seen, 40);
  expect_descriptors(before);
}

TEST_F(ChannelTest, ManyDatagramsKeepTheirOrderAndTheirDescriptors) {
  for (int i = 0; i < 100; ++i) {
    const std::string tag = std::to_string(i);
    if (i % 3 == 0) {
      ASSERT_TRUE(send_raw(peer.get(), tag, {make_tagged_fd(tag).get()}));
    } else {
      ASSERT_TRUE(send_raw(peer.get(), tag));
    }
  }
  turns();
  ASSERT_EQ(handler.received.size(), 100U);
  for (int i = 0; i < 100; ++i) {
    const Received& got = handler.received[static_cast<std::size_t>(i)];
    EXPECT_EQ(got.bytes, std::to_string(i));
    ASSERT_EQ(got.fd.valid(), i % 3 == 0) << i;
    if (got.fd) {
      EXPECT_EQ(content_of(got.fd.get()), got.bytes);
    }
  }
}

TEST_F(ChannelTest, TheLongestDatagramFitsAndALongerOneBreaksTheChannel) {
  const int room = 1 << 20;
  ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  ASSERT_TRUE(send_raw(peer.get(), std::string(channel::kMaxDatagram, 'x')));
  turns();
  ASSERT_EQ(handler.received.size(), 1U);
  EXPECT_EQ(handler.received[0].bytes.size(), channel::kMaxDatagram);

  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  // One byte over fits the buffer and is the decoder's to refuse; two are cut by the kernel.
  ASSERT_TRUE(send_raw(peer.get(), std::string(channel::kMaxDatagram + 2, 'x'), {sent.get()}));
  turns();
  expect_broken(ErrorKind::kProtocol, "datagram over the limit");
  EXPECT_EQ(handler.received.size(), 1U);
  expect_descriptors(before - 1);  // "only the channel's own socket is closed";
}

TEST_F(ChannelTest, TwoDescriptorsBreakTheChannelAndAreClosed) {
  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  ASSERT_TRUE(send_raw(peer.get(), "x", {sent.get(), sent.get()}));
  turns();
  expect_broken(ErrorKind::kProtocol, "more than one descriptor in a datagram");
  EXPECT_EQ(handler.seen, 0);
  expect_descriptors(before - 1);
}

TEST_F(ChannelTest, AsManyDescriptorsAsTheKernelAllowsBreakTheChannelAndAreClosed) {
  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  ASSERT_TRUE(send_raw(peer.get(), "x", std::vector<int>(253, sent.get())));
  turns();
  expect_broken(ErrorKind::kProtocol, "more than one descriptor in a datagram");
  expect_descriptors(before - 1);
}

TEST_F(ChannelTest, AnEmptyDatagramIsNotTheEndButBreaksTheChannelAndItsDescriptorsAreClosed) {
  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  ASSERT_TRUE(send_raw(peer.get(), "", std::vector<int>(253, sent.get())));
  turns();
  expect_broken(ErrorKind::kProtocol, "an empty datagram");
  expect_descriptors(before - 1);
}

TEST_F(ChannelTest, AnEmptyDatagramIsToldFromTheEndAlsoWhenBothHaveCome) {
  ASSERT_TRUE(send_raw(peer.get(), ""));
  peer.reset();
  turns();
  expect_broken(ErrorKind::kProtocol, "an empty datagram");
}

TEST_F(ChannelTest, WhatStandsBehindAnEmptyDatagramLeavesNoDescriptor) {
  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(send_raw(peer.get(), i % 2 == 0 ? "" : "x", {sent.get()}));
  turns();
  expect_broken(ErrorKind::kProtocol, "an empty datagram");
  expect_descriptors(before - 1);
}

TEST_F(ChannelTest, ThePeersEndIsToldOnceAfterWhatItSent) {
  ASSERT_TRUE(send_raw(peer.get(), "last words"));
  peer.reset();
  turns();
  EXPECT_EQ(handler.seen, 1);
  expect_broken(ErrorKind::kUnavailable, "closed by the peer");
  turns();
  EXPECT_EQ(handler.broken, 1);
}

TEST_F(ChannelTest, APeerThatDiesWithUnreadDatagramsIsStillHeardToTheEnd) {
  // The kernel reports ECONNRESET then, ahead of what the peer had sent.
  ASSERT_TRUE(channel->send("unread"));
  ASSERT_TRUE(send_raw(peer.get(), "one"));
  ASSERT_TRUE(send_raw(peer.get(), "two", {make_tagged_fd("tag").get()}));
  peer.reset();
  turns();
  ASSERT_EQ(handler.received.size(), 2U);
  EXPECT_EQ(handler.received[0].bytes, "one");
  EXPECT_EQ(content_of(handler.received[1].fd.get()), "tag");
  expect_broken(ErrorKind::kUnavailable, "closed by the peer");
}

TEST_F(ChannelTest, WhatADeadPeerHadSentIsHeardTurnByTurnAndNothingOfThoseWhoHoldItsSocket) {
  ASSERT_TRUE(channel->send("unread"));
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(send_raw(peer.get(), std::to_string(i)));
  channel->finish();
  EXPECT_FALSE(send_raw(peer.get(), "of a child of the peer's"));
  turns(1);
  EXPECT_LT(handler.seen, 200);
  turns();
  ASSERT_EQ(handler.received.size(), 200U);
  EXPECT_EQ(handler.received.back().bytes, "199");
  expect_broken(ErrorKind::kUnavailable, "closed by the peer");
  channel->finish();
  EXPECT_EQ(handler.broken, 1);
}

TEST_F(ChannelTest, ADescriptorThatFindsNoRoomIsToldAsLost) {
  const UniqueFd sent = make_tagged_fd("tag");
  ASSERT_TRUE(send_raw(peer.get(), "hello", {sent.get()}));
  {
    const test::NoMoreDescriptors full;
    turns();
  }
  ASSERT_EQ(handler.received.size(), 1U);
  EXPECT_EQ(handler.received[0].bytes, "hello");
  EXPECT_FALSE(handler.received[0].fd);
  EXPECT_TRUE(handler.received[0].descriptor_lost);

  ASSERT_TRUE(send_raw(peer.get(), "again", {sent.get()}));
  turns();
  ASSERT_EQ(handler.received.size(), 2U);
  EXPECT_TRUE(handler.received[1].fd);
  EXPECT_FALSE(handler.received[1].descriptor_lost);
}

TEST_F(ChannelTest, ClosingInTheMiddleOfABatchLeaksNothing) {
  handler.keep = false;
  handler.action = [this] {
    if (handler.seen == 3) channel->close();
  };
  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(send_raw(peer.get(), "x", {sent.get()}));
  turns();
  EXPECT_EQ(handler.seen, 3);
  EXPECT_EQ(handler.broken, 0) << "who closes it knows";
  expect_descriptors(before - 1);
}

TEST_F(ChannelTest, AViolationInTheMiddleOfABatchEndsItThereAndLeaksNothing) {
  handler.keep = false;
  const UniqueFd sent = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 12; ++i) {
    const std::vector<int> fds(i == 5 ? 2 : 1, sent.get());
    ASSERT_TRUE(send_raw(peer.get(), "x", fds));
  }
  turns();
  EXPECT_EQ(handler.seen, 5);
  EXPECT_EQ(handler.broken, 1);
  expect_descriptors(before - 1);
}

TEST_F(ChannelTest, AFloodOnOneChannelLeavesTurnsToOthers) {
  Recorder other_handler;
  auto pair = make_channel_pair();
  ASSERT_TRUE(pair);
  Channel other(loop, std::move(pair->first), other_handler, kMaxQueued);
  ASSERT_TRUE(other.open());
  handler.keep = false;
  // The flood never ends: each datagram that is handled makes room for the next.
  handler.action = [this] { send_raw(peer.get(), "flood"); };
  ASSERT_TRUE(send_raw(peer.get(), "flood"));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(send_raw(peer.get(), "flood"));
  ASSERT_TRUE(send_raw(pair->second.get(), "hello"));
  turns(1);
  EXPECT_EQ(other_handler.seen, 1);
}

// --- sending -------------------------------------------------------------------------------------

TEST_F(ChannelTest, SendsToAnotherChannel) {
  Recorder far_handler;
  Channel far(loop, std::move(peer), far_handler, kMaxQueued);
  ASSERT_TRUE(far.open());
  const UniqueFd sent = make_tagged_fd("tag");
  ASSERT_TRUE(channel->send("one"));
  ASSERT_TRUE(channel->send("two", sent.get()));
  turns();
  ASSERT_EQ(far_handler.received.size(), 2U);
  EXPECT_EQ(far_handler.received[0].bytes, "one");
  EXPECT_EQ(far_handler.received[1].bytes, "two");
  EXPECT_EQ(content_of(far_handler.received[1].fd.get()), "tag");
  EXPECT_EQ(content_of(sent.get()), "tag") << "the sender's stays its own";
}

TEST_F(ChannelTest, AFullQueueIsALimitErrorAndTheChannelLives) {
  fill();
  while (channel->queued() < kMaxQueued) ASSERT_TRUE(channel->send("more"));
  const std::size_t before = open_descriptors();
  const UniqueFd fd = make_tagged_fd("tag");
  const Status refused = channel->send("too much", fd.get());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kLimit);
  EXPECT_EQ(channel->queued(), kMaxQueued);
  EXPECT_EQ(channel->queue_high_water(), kMaxQueued);
  EXPECT_EQ(open_descriptors(), before + 1) << "no duplicate is left of what was refused";
  EXPECT_TRUE(channel->is_open());
  EXPECT_EQ(handler.broken, 0);
}

TEST_F(ChannelTest, TheQueueDrainsInOrderWhenThePeerReadsAgain) {
  int sent = fill();
  const std::size_t before = open_descriptors();
  while (channel->queued() < kMaxQueued) {
    const std::string bytes = numbered(sent++);
    const UniqueFd fd = make_tagged_fd(bytes.substr(0, 16));
    ASSERT_TRUE(channel->send(bytes, fd.get()));
  }
  const int first_with_fd = sent - static_cast<int>(kMaxQueued) + 1;
  EXPECT_EQ(open_descriptors(), before + kMaxQueued - 1) << "the queue keeps duplicates";

  Recorder far_handler;
  Channel far(loop, std::move(peer), far_handler, kMaxQueued);
  ASSERT_TRUE(far.open());
  for (int i = 0; i < 1000 && channel->queued() > 0; ++i) turns(1);
  turns(100);
  ASSERT_EQ(far_handler.received.size(), static_cast<std::size_t>(sent));
  for (int i = 0; i < sent; ++i) {
    const Received& got = far_handler.received[static_cast<std::size_t>(i)];
    ASSERT_EQ(got.bytes, numbered(i));
    ASSERT_EQ(got.fd.valid(), i >= first_with_fd) << i;
    if (got.fd) {
      EXPECT_EQ(content_of(got.fd.get()), got.bytes.substr(0, 16));
    }
  }
  EXPECT_EQ(channel->queued(), 0U);
  far_handler.received.clear();
  expect_descriptors(before);  // the duplicates are closed once they are sent
}

TEST_F(ChannelTest, AnEmptyQueueDoesNotKeepTheLoopBusy) {
  fill();
  Recorder far_handler;
  Channel far(loop, std::move(peer), far_handler, kMaxQueued);
  ASSERT_TRUE(far.open());
  turns(100);
  ASSERT_EQ(channel->queued(), 0U);
  const TimePoint begin = Clock::now();
  loop.turn(Duration{30});
  EXPECT_GE(Clock::now() - begin, Duration{29}) << "still waits to write";
}

TEST_F(ChannelTest, NothingOvertakesTheQueue) {
  int sent = fill();
  // The kernel has room again, but one datagram still waits.
  std::string buffer(channel::kMaxDatagram, '\0');
  std::vector<std::string> got;
  const auto read_one = [&] {
    const ssize_t size = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
    if (size > 0) got.push_back(buffer.substr(0, static_cast<std::size_t>(size)));
    return size > 0;
  };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(read_one());
  ASSERT_TRUE(channel->send(numbered(sent++)));
  EXPECT_EQ(channel->queued(), 2U);
  turns();
  while (read_one()) turns(1);
  ASSERT_EQ(got.size(), static_cast<std::size_t>(sent));
  for (int i = 0; i < sent; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], numbered(i));
}

TEST_F(ChannelTest, WithoutADescriptorForTheDuplicateSendFails) {
  fill();
  const UniqueFd fd = make_tagged_fd("tag");
  const std::size_t waiting = channel->queued();
  {
    const test::NoMoreDescriptors full;
    const Status refused = channel->send("x", fd.get());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kSystem);
    EXPECT_EQ(refused.error().code, EMFILE);
    EXPECT_TRUE(channel->send("y")) << "without a descriptor there is no need of one";
  }
  EXPECT_EQ(channel->queued(), waiting + 1);
}

TEST_F(ChannelTest, SendingToAPeerThatIsGoneIsAnErrorNotASignal) {
  peer.reset();
  EXPECT_FALSE(channel->send("x"));
  turns();
  EXPECT_EQ(handler.broken, 1);
  const Status closed = channel->send("x");
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind, ErrorKind::kUnavailable);
}

TEST_F(ChannelTest, APeerThatGoesWhileDatagramsWaitBreaksTheChannelAndTheQueueIsFreed) {
  fill();
  const UniqueFd fd = make_tagged_fd("tag");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(channel->send("x", fd.get()));
  expect_descriptors(before + 10);
  peer.reset();
  turns();
  EXPECT_EQ(handler.broken, 1);
  EXPECT_FALSE(channel->is_open());
  EXPECT_EQ(channel->queued(), 0U);
  expect_descriptors(before - 2);  // duplicates and both ends of the pair
}

TEST_F(ChannelTest, APeerThatDiesIsHeardToTheEndAlsoWhileDatagramsWaitForIt) {
  fill();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(send_raw(peer.get(), std::to_string(i)));
  peer.reset();
  turns(10);
  EXPECT_EQ(handler.received.size(), 200U);
  EXPECT_EQ(handler.broken, 1);
}

// --- the kernel's quota of descriptors in flight -------------------------------------------------

class QuotaTest : public ChannelTest {
 protected:
  std::string read_one() {
    std::string buffer(channel::kMaxDatagram, '\0');
    const ssize_t size = ::recv(peer.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return size < 0 ? "nothing" : buffer.substr(0, static_cast<std::size_t>(size));
  }
  /// With pauses for the retries.
  void await_sent() {
    for (int i = 0; i < 4'000 && channel->queued() > 0; ++i) loop.turn(Duration{10});
    EXPECT_EQ(channel->queued(), 0U);
  }
  test::ExceededQuota quota;
};

TEST_F(QuotaTest, WithoutADescriptorADatagramPassesThoseThatWait) {
  if (!quota.exceeded()) GTEST_SKIP() << "this kernel or user has no quota";
  const UniqueFd fd(::fcntl(peer.get(), F_DUPFD_CLOEXEC, 3));
  ASSERT_TRUE(channel->send("deliver", fd.get()));
  EXPECT_TRUE(channel->waits_for_quota());
  EXPECT_FALSE(channel->backed_up());
  EXPECT_FALSE(channel->keeps_order());
  ASSERT_TRUE(channel->send("ping", -1, Order::kFree));
  EXPECT_EQ(read_one(), "ping");
  ASSERT_TRUE(channel->send("disown"));
  EXPECT_TRUE(channel->keeps_order());
  EXPECT_EQ(read_one(), "nothing");
  EXPECT_EQ(channel->queued(), 2U);
  quota.end();
  await_sent();
  EXPECT_FALSE(channel->waits_for_quota());
  EXPECT_EQ(read_one(), "deliver");
  EXPECT_EQ(read_one(), "disown");
}

TEST_F(QuotaTest, APeerThatDoesNotReadHoldsUpAllAndIsToldFromTheQuota) {
  if (!quota.exceeded()) GTEST_SKIP() << "this kernel or user has no quota";
  const UniqueFd fd(::fcntl(peer.get(), F_DUPFD_CLOEXEC, 3));
  ASSERT_TRUE(channel->send("deliver", fd.get()));
  int sent = 0;
  while (!channel->backed_up()) ASSERT_TRUE(channel->send(numbered(sent++), -1, Order::kFree));
  turns();
  EXPECT_TRUE(channel->backed_up());
  EXPECT_FALSE(channel->waits_for_quota()) << "the peer is at fault";
  quota.end();
  for (int i = 0; i < sent; ++i) {
    EXPECT_EQ(read_one(), numbered(i));
    turns(1);
  }
  await_sent();
  EXPECT_EQ(read_one(), "deliver");
}

TEST_F(ChannelTest, CloseIsFinalAndThePeerSeesTheEnd) {
  const std::size_t before = open_descriptors();
  channel->close();
  channel->close();
  EXPECT_FALSE(channel->is_open());
  expect_descriptors(before - 1);
  char byte = 0;
  EXPECT_EQ(::recv(peer.get(), &byte, 1, 0), 0);
  turns();
  EXPECT_EQ(handler.broken, 0);
}

}  // namespace
}  // namespace mpb
