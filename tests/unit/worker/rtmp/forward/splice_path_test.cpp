#include "worker/rtmp/forward/splice_path.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "tests/support/descriptors.hpp"
#include "tests/support/socket_pair.hpp"

namespace mpb::rtmp {
namespace {

struct Pair : test::SocketPair {
  Pair() : SocketPair(SOCK_NONBLOCK) {}
};

void send_all(int fd, const std::string& bytes) {
  ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

std::string receive(int fd) {
  std::string all;
  std::array<char, 65536> buffer{};
  ssize_t count = 0;
  while ((count = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
    all.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return all;
}

/// How bytes go: in the kernel, through this process, or now so, now so.
enum class Way : std::uint8_t { kSplice, kCopy, kEither };

class SplicePathTest : public testing::Test {
 protected:
  bool pump() {
    const bool copies = way_ == Way::kCopy || (way_ == Way::kEither && turn_++ % 2 == 1);
    return path_.pump(pool_, from_.ours.get(), to_.ours.get(), copies);
  }
  /// Sends until the path is full: what it was sent and holds, or has passed on.
  std::string fill_up() {
    std::string sent;
    while (path_.wants_to_read()) {
      const std::string part(30'000, static_cast<char>('a' + sent.size() % 26));
      send_all(from_.peer.get(), part);
      sent += part;
      pump();
    }
    return sent;
  }

  Pair from_;
  Pair to_;
  PipePool pool_;
  SplicePath path_;
  Way way_ = Way::kSplice;
  int turn_ = 0;
};

class SplicePathWays : public SplicePathTest, public testing::WithParamInterface<Way> {
 protected:
  SplicePathWays() { way_ = GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(All, SplicePathWays,
                         testing::Values(Way::kSplice, Way::kCopy, Way::kEither));

TEST_P(SplicePathWays, BytesArriveInOrder) {
  EXPECT_FALSE(pump());
  send_all(from_.peer.get(), "one ");
  EXPECT_TRUE(pump());
  send_all(from_.peer.get(), "two");
  EXPECT_TRUE(pump());
  EXPECT_EQ(receive(to_.peer.get()), "one two");
  EXPECT_TRUE(path_.wants_to_read());
  EXPECT_FALSE(path_.wants_to_write());
}

TEST_P(SplicePathWays, AFullSinkHoldsTheSourceAndNothingIsLost) {
  const std::string sent = fill_up();
  EXPECT_TRUE(path_.wants_to_write());
  EXPECT_FALSE(pump());
  std::string received;
  while (received.size() < sent.size()) {
    const std::string part = receive(to_.peer.get());
    received += part;
    ASSERT_TRUE(pump() || !part.empty()) << received.size() << " of " << sent.size();
  }
  EXPECT_EQ(received, sent);
  EXPECT_TRUE(path_.wants_to_read());
}

TEST_P(SplicePathWays, TheEndComesBehindTheLastByte) {
  const std::string sent = fill_up();
  from_.peer.reset();
  pump();
  EXPECT_FALSE(path_.is_done());
  std::string received;
  while (!path_.is_done()) {
    received += receive(to_.peer.get());
    pump();
  }
  received += receive(to_.peer.get());
  EXPECT_EQ(received, sent);
  EXPECT_FALSE(path_.source_failed());
  EXPECT_FALSE(path_.wants_to_read());
  EXPECT_FALSE(path_.wants_to_write());
}

TEST_P(SplicePathWays, ASinkThatIsGoneBreaksIt) {
  std::signal(SIGPIPE, SIG_IGN);
  to_.peer.reset();
  send_all(from_.peer.get(), "lost");
  pump();
  EXPECT_TRUE(path_.is_broken());
  EXPECT_FALSE(path_.wants_to_read());
  EXPECT_FALSE(path_.wants_to_write());
  EXPECT_FALSE(path_.is_done());
}

TEST_P(SplicePathWays, BytesOfABrokenPathDoNotReachTheNext) {
  std::signal(SIGPIPE, SIG_IGN);
  fill_up();
  to_.peer.reset();
  pump();
  ASSERT_TRUE(path_.is_broken());
  Pair from;
  Pair to;
  SplicePath next;
  send_all(from.peer.get(), "mine");
  next.pump(pool_, from.ours.get(), to.ours.get());
  EXPECT_EQ(receive(to.peer.get()), "mine");
}

TEST_F(SplicePathTest, PathsThatHoldNothingShareAPipe) {
  Pair from;
  Pair to;
  SplicePath other;
  send_all(from_.peer.get(), "x");
  pump();
  const std::size_t before = test::open_descriptors();
  send_all(from.peer.get(), "y");
  other.pump(pool_, from.ours.get(), to.ours.get());
  EXPECT_EQ(receive(to.peer.get()), "y");
  EXPECT_LE(test::open_descriptors(), before);  // threads of others may close some
}

TEST_F(SplicePathTest, WithoutADescriptorForThePipeItSaysSo) {
  send_all(from_.peer.get(), "x");
  {
    const test::NoMoreDescriptors none;
    pump();
  }
  EXPECT_EQ(path_.pipe_error(), EMFILE);
}

}  // namespace
}  // namespace mpb::rtmp
