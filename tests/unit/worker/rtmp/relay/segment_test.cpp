// Memory that sockets take by reference.
#include "worker/rtmp/relay/segment.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>
#include <optional>
#include <string>

#include "tests/support/socket_pair.hpp"

namespace mpb::rtmp {
namespace {

/// Bytes of memory that the file takes up.
off_t held(const SegmentFile& file) {
  struct stat state {};
  EXPECT_EQ(::fstat(file.fd(), &state), 0);
  return state.st_blocks * 512;
}

TEST(Segment, TakesWhatThereIsRoomFor) {
  SegmentFile file;
  ASSERT_GE(file.fd(), 0);
  for (SegmentFile* place : {&file, static_cast<SegmentFile*>(nullptr)}) {
    Segment segment(place, 100);
    ASSERT_GE(segment.room(), 100U);
    const std::size_t room = segment.room();
    segment.append("one");
    segment.append(" two");
    EXPECT_EQ(segment.bytes(), "one two");
    EXPECT_EQ(segment.room(), room - 7);
    EXPECT_EQ(segment.place().has_value(), place != nullptr);
  }
}

TEST(Segment, WhatASocketHasTakenStaysAsItWas) {
  SegmentFile file;
  const std::string sent(10'000, 's');
  const auto [near, far] = test::SocketPair();
  std::optional<Segment> segment(std::in_place, &file, sent.size());
  segment->append(sent);
  off_t place = segment->place().value();
  ASSERT_EQ(::sendfile(near.get(), file.fd(), &place, sent.size()),
            static_cast<ssize_t>(sent.size()));
  segment.reset();
  Segment next(&file, sent.size());
  next.append(std::string(sent.size(), 'n'));
  std::string received(sent.size(), '\0');
  ASSERT_EQ(::recv(far.get(), received.data(), received.size(), MSG_WAITALL),
            static_cast<ssize_t>(received.size()));
  EXPECT_EQ(received, sent);
}

TEST(Segment, GivesItsMemoryBack) {
  SegmentFile file;
  for (int i = 0; i < 10; ++i) {
    Segment one(&file, 100'000);
    Segment two(std::move(one));
    two.append(std::string(100'000, 'x'));
    EXPECT_GE(held(file), 100'000);
    EXPECT_LT(held(file), 200'000) << "one at a time";
  }
  EXPECT_EQ(held(file), 0);
}

TEST(Segment, OnlyOrdinaryMemoryIsUsedAgain) {
  SegmentFile file;
  Segment lent(&file, 100);
  Segment own(nullptr, 100);
  for (Segment* segment : {&lent, &own}) {
    segment->append("x");
    segment->reuse_if_ordinary();
  }
  EXPECT_EQ(lent.bytes(), "x");
  EXPECT_EQ(own.bytes(), "");
}

TEST(Segment, WhereFilesMayNotGrowItIsOrdinaryMemory) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit bounded{1UL << 30, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &bounded), 0);
  SegmentFile file;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  Segment segment(&file, 100);
  segment.append("x");
  EXPECT_NE(file.why_not(), "");
  EXPECT_EQ(segment.place(), std::nullopt);
  EXPECT_EQ(segment.bytes(), "x");
}

TEST(Segment, AfterTheFileHasMetALimitItIsOrdinaryMemory) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  SegmentFile file;
  const Segment earlier(&file, 100'000);
  ASSERT_TRUE(earlier.place());
  const rlimit bounded{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &bounded), 0);
  Segment segment(&file, 100);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  segment.append("x");
  EXPECT_EQ(segment.place(), std::nullopt);
  EXPECT_EQ(segment.bytes(), "x");
}

}  // namespace
}  // namespace mpb::rtmp
