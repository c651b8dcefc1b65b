#include "proto/control/control.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace mpb::control {
namespace {

using Kind = Command::Kind;
using namespace std::string_literals;

TEST(Control, AnEmptyInputIsIncomplete) {
  const Command command = first_command("");
  EXPECT_EQ(command.kind, Kind::kIncomplete);
  EXPECT_EQ(command.size, 0U);
}

TEST(Control, AClaimCarriesALittleEndianId) {
  const Command command = first_command("C\x01\x02\x03\x04"s);
  EXPECT_EQ(command.kind, Kind::kClaim);
  EXPECT_EQ(command.size, 5U);
  EXPECT_EQ(command.id, 0x04030201);
}

TEST(Control, AClaimMayBeNegativeOrZero) {
  EXPECT_EQ(first_command("C\xff\xff\xff\xff"s).id, -1);
  EXPECT_EQ(first_command("C\0\0\0\x80"s).id, std::numeric_limits<std::int32_t>::min());
  const Command zero = first_command("C\0\0\0\0"s);
  EXPECT_EQ(zero.kind, Kind::kClaim);
  EXPECT_EQ(zero.id, 0);
}

TEST(Control, APartialIdIsIncomplete) {
  const std::string claim = "C\x01\x02\x03\x04"s;
  for (std::size_t length = 1; length < claim.size(); ++length) {
    const Command command = first_command(std::string_view(claim).substr(0, length));
    EXPECT_EQ(command.kind, Kind::kIncomplete) << length << " bytes";
    EXPECT_EQ(command.size, 0U) << length << " bytes";
  }
}

TEST(Control, WhoIsOneByte) {
  const Command command = first_command("WW");
  EXPECT_EQ(command.kind, Kind::kWho);
  EXPECT_EQ(command.size, 1U);
}

TEST(Control, AMessageEndsAtItsNul) {
  const std::string input = "Mhello\0Mnext\0"s;
  const Command command = first_command(input);
  EXPECT_EQ(command.kind, Kind::kMessage);
  EXPECT_EQ(command.text, "hello");
  EXPECT_EQ(command.text.data(), input.data() + 1);
  EXPECT_EQ(command.size, 7U);
}

TEST(Control, AMessageMayBeEmpty) {
  const Command command = first_command("M\0"s);
  EXPECT_EQ(command.kind, Kind::kMessage);
  EXPECT_EQ(command.text, "");
  EXPECT_EQ(command.size, 2U);
}

TEST(Control, AMessageOfTheGreatestLengthIsWhole) {
  const std::string text(kMaxMessage, 'x');
  EXPECT_EQ(first_command("M" + text).kind, Kind::kIncomplete);
  const Command command = first_command("M" + text + '\0');
  EXPECT_EQ(command.kind, Kind::kMessage);
  EXPECT_EQ(command.text.size(), kMaxMessage);
  EXPECT_EQ(command.size, kMaxMessage + 2);
}

TEST(Control, AMessageOneByteLongerIsOverlongWithAndWithoutItsNul) {
  const std::string text(kMaxMessage + 1, 'x');
  EXPECT_EQ(first_command("M" + text).kind, Kind::kOverlong);
  EXPECT_EQ(first_command("M" + text + '\0').kind, Kind::kOverlong);
}

TEST(Control, EveryOtherFirstByteIsUnknown) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (c == 'C' || c == 'M' || c == 'W') continue;
    EXPECT_EQ(first_command({&c, 1}).kind, Kind::kUnknown) << "byte " << byte;
  }
}

TEST(Control, KeysAreDecimal) {
  EXPECT_EQ(key_of(0), "0");
  EXPECT_EQ(key_of(-1), "-1");
  EXPECT_EQ(key_of(std::numeric_limits<std::int32_t>::min()), "-2147483648");
}

TEST(Control, EveryReplyIsOneTextAndOneNul) {
  for (const std::string_view reply : {kGreeting, kBusy, kUnknownCommand, kMessageTooLong}) {
    EXPECT_EQ(reply.find('\0'), reply.size() - 1) << reply;
  }
  EXPECT_EQ(kGreeting, "hello, server ping!\0"s);
}

}  // namespace
}  // namespace mpb::control
