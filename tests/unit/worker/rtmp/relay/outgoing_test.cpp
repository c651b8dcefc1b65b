#include "worker/rtmp/relay/outgoing.hpp"

#include <gtest/gtest.h>

#include "proto/rtmp/command.hpp"

namespace mpb::rtmp {
namespace {

Loan loan(std::string text, std::optional<off_t> place = std::nullopt) {
  const auto kept = std::make_shared<const std::string>(std::move(text));
  return {kept, *kept, place};
}

std::string rest(const Outgoing& out) {
  std::string bytes;
  out.append_to(bytes, SIZE_MAX);
  return bytes;
}

TEST(Outgoing, GoesOutInOrderHoweverMuchIsTakenAtATime) {
  const std::string large(5'000, 'L');
  for (std::size_t step = 1; step < 6'000; step = step * 3 + 1) {
    Outgoing out;
    std::string expected;
    for (int i = 0; i < 300; ++i) {
      out.own() += "own" + std::to_string(i);
      out.lend(loan("few"));
      out.lend(loan(large + std::to_string(i)));
      expected += "own" + std::to_string(i) + "few" + large + std::to_string(i);
    }
    std::string got;
    while (!out.empty()) {
      std::vector<iovec> slices;
      const std::size_t there = out.collect(slices, 5, SIZE_MAX);
      ASSERT_LE(slices.size(), 5U);
      std::size_t taken = 0;
      for (const iovec& slice : slices) {
        const std::size_t size = std::min(slice.iov_len, step * 100 - taken);
        got.append(static_cast<const char*>(slice.iov_base), size);
        taken += size;
      }
      ASSERT_LE(taken, there);
      ASSERT_GT(taken, 0U);
      out.advance(taken);
      ASSERT_EQ(out.size(), expected.size() - got.size());
    }
    EXPECT_EQ(got, expected);
  }
}

TEST(Outgoing, WhatIsLentTakesUpNoMemory) {
  Outgoing out;
  const Loan large = loan(std::string(1'000'000, 'L'));
  const std::weak_ptr<const void> kept = large.keeper;
  for (int i = 0; i < 10; ++i) out.lend(large);
  EXPECT_EQ(out.size(), 10'000'000U);
  EXPECT_EQ(out.own_size(), 0U);
  EXPECT_LT(out.memory(), 10'000U);
  EXPECT_EQ(large.keeper.use_count(), 11);
  out.advance(9'500'000);
  EXPECT_EQ(large.keeper.use_count(), 2) << "what was sent is given back";
  out.clear();
  EXPECT_EQ(large.keeper.use_count(), 1);
}

TEST(Outgoing, WhatIsSentTakesUpNoMemoryEvenIfThereIsAlwaysSomethingLeft) {
  Outgoing out;
  for (int i = 0; i < 2'000; ++i) {
    out.own() += std::string(400, 'o');
    out.lend(loan(std::string(600, 'l')));
    if (i > 0) out.advance(1'000);
  }
  EXPECT_EQ(out.size(), 1'000U);
  EXPECT_LT(out.memory(), 300'000U);
}

TEST(Outgoing, StopsBeforeWhatAFileHas) {
  Outgoing out;
  out.own() = "own";
  out.lend(loan(std::string(5'000, 'f'), 4'096));
  std::vector<iovec> slices;
  EXPECT_EQ(out.first(), nullptr);
  EXPECT_EQ(out.collect(slices, 64, 4'096), 3U);
  out.advance(3);
  ASSERT_NE(out.first(), nullptr);
  EXPECT_EQ(out.first()->place, 4'096);
  out.advance(1'000);
  ASSERT_NE(out.first(), nullptr);
  EXPECT_EQ(out.first()->place, 5'096);
  EXPECT_EQ(out.first()->bytes.size(), 4'000U);
}

TEST(Outgoing, AMessageThatIsLentIsTheSameAsOneThatIsWritten) {
  for (const std::size_t size : {0U, 1U, 59'999U, 60'000U, 60'001U, 200'000U}) {
    for (const std::uint32_t time : {7U, 0xffffffU, 0x12345678U}) {
      const std::string payload(size, 'p');
      Message message{MessageType::kVideo, 70, 3, time, payload};
      std::string written;
      append_message(written, message, kOutChunkSize);
      Outgoing out;
      out.lend_message(message, loan(payload));
      EXPECT_EQ(rest(out), written) << size << " bytes at " << time;
    }
  }
}

TEST(Outgoing, LastWordsAreFewOrNone) {
  Outgoing out;
  out.lend(loan(std::string(1'000, 'w')));
  std::string words;
  out.append_to(words, 999);
  EXPECT_TRUE(words.empty());
  out.append_to(words, 1'000);
  EXPECT_EQ(words.size(), 1'000U);
}

}  // namespace
}  // namespace mpb::rtmp
