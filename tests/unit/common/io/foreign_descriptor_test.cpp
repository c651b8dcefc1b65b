// What descriptors of others are, and their end.
#include "common/io/foreign_descriptor.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "common/io/endpoint.hpp"
#include "common/io/turn_guard.hpp"
#include "common/listen/listening_socket.hpp"
#include "tests/support/lingering_socket.hpp"

namespace mpb {
namespace {

constexpr int kMptcp = 262;
constexpr int kLingerSeconds = 60;

UniqueFd socket_of(int domain, int type, int protocol = 0) {
  return UniqueFd(::socket(domain, type | SOCK_CLOEXEC, protocol));
}

TEST(StreamKind, TellsStreamsFromAllElse) {
  const UniqueFd listener = *listen_on(parse_endpoint("127.0.0.1:0").value(), 1);
  const Endpoint address = local_endpoint(listener.get()).value();
  const UniqueFd client = socket_of(AF_INET, SOCK_STREAM);
  EXPECT_EQ(stream_kind(client.get()), StreamKind::kTcp);  // as one that was reset
  ASSERT_EQ(::connect(client.get(), address.data(), address.length), 0);
  EXPECT_EQ(stream_kind(client.get()), StreamKind::kTcp);
  EXPECT_EQ(stream_kind(listener.get()), StreamKind::kOther);

  const UniqueFd datagrams = socket_of(AF_INET, SOCK_DGRAM);
  ASSERT_EQ(::connect(datagrams.get(), address.data(), address.length), 0);
  EXPECT_EQ(stream_kind(datagrams.get()), StreamKind::kOther);
  EXPECT_EQ(stream_kind(socket_of(AF_UNIX, SOCK_SEQPACKET).get()), StreamKind::kOther);
  EXPECT_EQ(stream_kind(socket_of(AF_UNIX, SOCK_STREAM).get()), StreamKind::kUnix);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd reads(ends[0]);
  const UniqueFd writes(ends[1]);
  EXPECT_EQ(stream_kind(reads.get()), StreamKind::kOther);
  EXPECT_EQ(stream_kind(-1), StreamKind::kOther);
}

TEST(StreamKind, MultipathTcpIsTcp) {
  const UniqueFd socket = socket_of(AF_INET, SOCK_STREAM, kMptcp);
  if (!socket) GTEST_SKIP() << "this kernel has no MPTCP";
  EXPECT_EQ(stream_kind(socket.get()), StreamKind::kTcp);
  EXPECT_EQ(client_kind(socket.get()), StreamKind::kTcp);
}

TEST(StreamKind, AListenersClientsAreOfItsKind) {
  const UniqueFd listener = *listen_on(parse_endpoint("[::1]:0").value(), 1);
  EXPECT_EQ(client_kind(listener.get()), StreamKind::kTcp);
  EXPECT_EQ(client_kind(socket_of(AF_UNIX, SOCK_STREAM).get()), StreamKind::kUnix);
}

TEST(CloseClient, WaitsForOneThatLingersOnceAndNoMore) {
  TurnGuard guard;
  guard.begin(TurnGuard::Clock::now());
  test::LingeringSocket first(kLingerSeconds);
  test::LingeringSocket second(kLingerSeconds);
  const auto begun = TurnGuard::Clock::now();
  close_client({std::move(first.ours), StreamKind::kTcp});
  guard.rest();  // nothing would end the wait any more
  close_client({std::move(second.ours), StreamKind::kTcp});
  EXPECT_LT(TurnGuard::Clock::now() - begun, std::chrono::seconds(kLingerSeconds / 2));
}

TEST(CloseForeign, NeverWaitsForOneThatLingers) {
  test::LingeringSocket lingering(kLingerSeconds);
  const auto begun = TurnGuard::Clock::now();
  close_foreign({std::move(lingering.ours), StreamKind::kTcp});
  EXPECT_LT(TurnGuard::Clock::now() - begun, std::chrono::seconds(kLingerSeconds / 2));
}

}  // namespace
}  // namespace mpb
