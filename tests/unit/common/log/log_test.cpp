#include "common/log/log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace mpb {
namespace {

using namespace std::string_literals;

std::string logfmt(std::string_view key, std::string_view value) {
  std::string line;
  append_logfmt(line, key, value);
  return line;
}

TEST(Logfmt, PlainValuesStayBare) {
  EXPECT_EQ(logfmt("key", "value"), "key=value");
  EXPECT_EQ(logfmt("peer", "[::1]:1990"), "peer=[::1]:1990");
  EXPECT_EQ(logfmt("path", "/run/mp.sock"), "path=/run/mp.sock");
}

TEST(Logfmt, FieldsAreSeparatedByOneSpace) {
  std::string line;
  append_logfmt(line, "a", "1");
  append_logfmt(line, "b", "2");
  EXPECT_EQ(line, "a=1 b=2");
}

TEST(Logfmt, ValuesThatWouldBeMisreadAreQuoted) {
  EXPECT_EQ(logfmt("k", ""), R"(k="")");
  EXPECT_EQ(logfmt("k", "two words"), R"(k="two words")");
  EXPECT_EQ(logfmt("k", "a=b"), R"(k="a=b")");
  EXPECT_EQ(logfmt("k", R"(say "hi")"), R"(k="say \"hi\"")");
  EXPECT_EQ(logfmt("k", R"(back\slash)"), R"(k="back\\slash")");
}

TEST(Logfmt, AClientCannotForgeALineOrAField) {
  EXPECT_EQ(logfmt("k", "x\nlevel=error event=fake"), R"(k="x\x0alevel=error event=fake")");
  EXPECT_EQ(logfmt("k", "\r\x1b[2J\x7f\0"s), R"(k="\x0d\x1b[2J\x7f\x00")");
  EXPECT_EQ(logfmt("k", "\xfc\xe2\x82"s), R"(k="\xfc\xe2\x82")") << "no UTF-8";
  EXPECT_EQ(logfmt("k", "\xc2\x9b"s), R"(k="\u{009b}")") << "the other control characters";
}

/// What systemd sets when standard error goes to the journal: what it is, here.
void pretend_journal() {
  struct stat info {};
  ::fstat(STDERR_FILENO, &info);
  ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", info.st_dev, info.st_ino).c_str(), 1);
}

class LogDeathTest : public testing::Test {
 protected:
  // Each statement in a process of its own: the logger looks at its environment once.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(LogDeathTest, ALineTellsTimeLevelProgramEventAndFields) {
  EXPECT_EXIT(
      {
        ::unsetenv("JOURNAL_STREAM");
        init_log("tester", LogLevel::kInfo);
        log_info("online")("slot", 3)("text", "{} %v");
        std::exit(0);
      },
      testing::ExitedWithCode(0),
      "^time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+[+-][0-9:]+ level=info program=tester "
      "event=online slot=3 text=\"\\{\\} %v\"\n$");
}

TEST_F(LogDeathTest, UnderSystemdALineBeginsWithItsPriority) {
  EXPECT_EXIT(
      {
        pretend_journal();
        init_log("tester", LogLevel::kDebug);
        log_debug("d");
        log_info("i");
        log_warning("w");
        log_error("e");
        std::exit(0);
      },
      testing::ExitedWithCode(0),
      "^<7>program=tester event=d\n<6>program=tester event=i\n<4>program=tester event=w\n"
      "<3>program=tester event=e\n$");
}

TEST_F(LogDeathTest, EachLineTellsWhichProcessItIsOf) {
  EXPECT_EXIT(
      {
        pretend_journal();
        init_log("tester", LogLevel::kInfo, "slot=3 pid=17");
        log_info("i")("slot", 4);
        tell("plain\ntext");
        std::exit(0);
      },
      testing::ExitedWithCode(0),
      "^<6>program=tester slot=3 pid=17 event=i slot=4\nplain\ntext\n$");
}

TEST_F(LogDeathTest, ALongValueIsCutSoThatTheLineIsWrittenAsAWhole) {
  EXPECT_EXIT(
      {
        pretend_journal();
        init_log("tester", LogLevel::kInfo);
        log_info("i")("a", std::string(6000, 'x'))("b", std::string(6000, '"'))("c", "kept");
        std::exit(0);
      },
      testing::ExitedWithCode(0),
      "^<6>program=tester event=i a=x{3000}\\.\\.\\. b=\"[^x]{300,800}\\.\\.\\.\" c=kept\n$");
}

TEST_F(LogDeathTest, AStandardErrorThatIsNotTheJournalsHasNoPriority) {
  EXPECT_EXIT(
      {
        ::setenv("JOURNAL_STREAM", "1:2", 1);
        init_log("tester", LogLevel::kInfo);
        log_info("i");
        std::exit(0);
      },
      testing::ExitedWithCode(0), "^time=.* level=info program=tester event=i\n$");
}

TEST_F(LogDeathTest, LinesBelowTheLevelAreNotWritten) {
  EXPECT_EXIT(
      {
        pretend_journal();
        init_log("tester", LogLevel::kWarning);
        log_info("quiet");
        log_warning("loud");
        set_log_level(LogLevel::kOff);
        log_error("off");
        set_log_level(LogLevel::kDebug);
        log_debug("last");
        std::exit(0);
      },
      testing::ExitedWithCode(0), "^<4>program=tester event=loud\n<7>program=tester event=last\n$");
}

TEST(Log, LevelsAreOrdered) {
  init_log("tester", LogLevel::kWarning);
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kWarning));
  EXPECT_TRUE(log_enabled(LogLevel::kError));
  set_log_level(LogLevel::kOff);
  EXPECT_FALSE(log_enabled(LogLevel::kError));
}

}  // namespace
}  // namespace mpb
