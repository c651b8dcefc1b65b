#include "common/io/byte_counts.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>

#include "common/io/endpoint.hpp"

namespace mpb {
namespace {

class ByteCountsTest : public testing::Test {
 protected:
  ByteCountsTest() {
    const UniqueFd listener = listen_on(parse_endpoint("127.0.0.1:0").value(), 1).value();
    const Endpoint address = local_endpoint(listener.get()).value();
    client.reset(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::connect(client.get(), address.data(), address.length), 0);
    pollfd entry{listener.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, -1), 1);
    server.reset(::accept(listener.get(), nullptr, nullptr));
  }
  void say(const std::string& text) {
    ASSERT_EQ(::send(client.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    pollfd entry{server.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, -1), 1);
  }
  std::string read(std::size_t size) {
    std::string text(size, '\0');
    text.resize(static_cast<std::size_t>(::recv(server.get(), text.data(), size, 0)));
    return text;
  }

  UniqueFd client;
  UniqueFd server;
};

TEST_F(ByteCountsTest, WhatIsThereAndUnreadChangesNothing) {
  const auto before = byte_counts(server.get());
  ASSERT_TRUE(before);
  say("hello");
  EXPECT_EQ(byte_counts(server.get()), before);
}

TEST_F(ByteCountsTest, WhatIsReadThroughACopyIsSeen) {
  say("hello");
  const auto before = byte_counts(server.get());
  const UniqueFd copy(::dup(server.get()));
  char byte = 0;
  ASSERT_EQ(::recv(copy.get(), &byte, 1, 0), 1);
  const auto after = byte_counts(server.get());
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->consumed, before->consumed + 1);
  EXPECT_EQ(after->written, before->written);
}

TEST_F(ByteCountsTest, WhatIsWrittenIsSeenBeforeItIsAcknowledgedAndAfter) {
  const auto before = byte_counts(server.get());
  ASSERT_EQ(::send(server.get(), "abc", 3, 0), 3);
  const auto after = byte_counts(server.get());
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->written, before->written + 3);
  EXPECT_EQ(after->consumed, before->consumed);
}

TEST_F(ByteCountsTest, ThatThePeerEndsIsNoByte) {
  say("hello");
  EXPECT_EQ(read(2), "he");
  const auto before = byte_counts(server.get());
  ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  pollfd entry{server.get(), POLLRDHUP, 0};
  ASSERT_EQ(::poll(&entry, 1, -1), 1);
  EXPECT_EQ(byte_counts(server.get()), before) << "though it has come";
  EXPECT_EQ(read(10), "llo");
  EXPECT_EQ(byte_counts(server.get())->consumed, before->consumed + 3);
}

TEST(ByteCounts, OfAnotherSocketAreNotKnown) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  EXPECT_FALSE(byte_counts(first.get()));
}

}  // namespace
}  // namespace mpb
