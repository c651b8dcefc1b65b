// What a worker may do with letters, in bad faith: it harms nobody.
#include <gtest/gtest.h>

#include "tests/hostile/siege.hpp"

namespace mpb::test {
namespace {

std::int64_t letters(Siege& siege, const char* counter) {
  return siege.broker()
      .request({{"command", "status"}})
      .at("broker")
      .at("letters")
      .at(counter)
      .to_number<std::int64_t>();
}

/// It may, and stays.
void expect_left_alone(const char* attack) {
  Siege siege({.attacks = std::string("1=") + attack});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  EXPECT_TRUE(eventually([&] { return letters(siege, "posted") > 0; }));
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

TEST(HostileLetter, ToNobody) {
  Siege siege({.attacks = "1=post-to-nobody"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  EXPECT_TRUE(eventually([&] { return letters(siege, "undeliverable") == 1'000; }));
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

TEST(HostileLetter, OfRepliesThatNobodyAskedFor) {
  expect_left_alone("post-unasked-replies");
}

TEST(HostileLetter, ToTheOperatorWithoutEnd) {
  expect_left_alone("post-to-the-operator");
}

TEST(HostileLetter, ToAllOfOneThatNeverReads) {
  Siege siege({.attacks = "1=post-to-all-and-never-read",
               .arguments = {"--ping-interval", "500ms", "--ping-limit", "4s"}});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  EXPECT_LE(letters(siege, "queued_bytes"), 1 << 20);
  EXPECT_FALSE(siege.await_ejection().empty()) << "it answers no ping";
  EXPECT_TRUE(siege.await_replacement());
  EXPECT_EQ(letters(siege, "queued"), 0);
  siege.expect_unharmed();
}

}  // namespace
}  // namespace mpb::test
