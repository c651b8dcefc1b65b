// Bytes of a unix socket, and what may come along with them.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>

#include "common/io/descriptor_passing.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "tests/support/descriptors.hpp"
#include "tests/support/lingering_socket.hpp"
#include "tests/support/socket_pair.hpp"

namespace mpb {
namespace {

constexpr int kLingerSeconds = 60;

using Pair = test::SocketPair;

void send_with(int socket, const std::string& bytes, int descriptor) {
  ASSERT_EQ(send_passing(socket, bytes, {&descriptor, 1}), static_cast<ssize_t>(bytes.size()));
}

std::string receive(const Pair& pair) {
  std::array<char, 100> buffer{};
  const ssize_t count = receive_bytes(pair.ours.get(), buffer.data(), buffer.size());
  return count < 0 ? std::strerror(errno)
                   : std::string(buffer.data(), static_cast<std::size_t>(count));
}

TEST(ReceiveBytes, GivesBytesOrSaysWhyNot) {
  Pair pair;
  EXPECT_EQ(receive(pair), std::strerror(EAGAIN));
  ASSERT_EQ(::send(pair.peer.get(), "hello", 5, 0), 5);
  EXPECT_EQ(receive(pair), "hello");
  pair.peer.reset();
  EXPECT_EQ(receive(pair), "");
}

TEST(ReceiveBytes, ClosesWhatComesAlong) {
  const Pair pair;
  const std::size_t before = test::open_descriptors();
  send_with(pair.peer.get(), "x", pair.ours.get());
  EXPECT_EQ(receive(pair), "x");
  for (int i = 0; i < 4000 && test::open_descriptors() > before; ++i) ::usleep(10'000);
  EXPECT_LE(test::open_descriptors(), before);
}

TEST(ReceiveBytes, DoesNotWaitForTheCloseOfASocketThatLingers) {
  test::LingeringSocket lingering(kLingerSeconds);
  const Pair pair;
  send_with(pair.peer.get(), "x", lingering.ours.get());
  lingering.ours.reset();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(receive(pair), "x");
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_LT(took, std::chrono::seconds(kLingerSeconds / 2));
}

}  // namespace
}  // namespace mpb
