// Lines to whatever standard error may be, while nobody reads it.
#include "common/log/line_output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>

#include "common/base/unique_fd.hpp"

namespace mpb {
namespace {

constexpr int kMany = 2000;  // lines: more than any of the descriptors here takes without a reader

std::string loss_text(std::uint64_t lines) {
  return "lost=" + std::to_string(lines) + "\n";
}

std::string numbered(int number) {
  return "line " + std::to_string(number) + " " + std::string(100, 'x') + " end\n";
}

class LineOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);
  }
  void TearDown() override {
    for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_DFL);
  }
};

struct Ends {
  UniqueFd reader;
  UniqueFd writer;
};

/// Blocking, and with little room.
Ends small_pipe() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  ::fcntl(fds[1], F_SETPIPE_SZ, 4096);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends sockets(int type) {
  std::array<int, 2> fds{};
  EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends terminal() {
  int master = -1;
  int slave = -1;
  termios raw{};
  ::cfmakeraw(&raw);
  EXPECT_EQ(::openpty(&master, &slave, nullptr, &raw, nullptr), 0);
  return {UniqueFd(master), UniqueFd(slave)};
}

/// What can be read without waiting.
std::string drain(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

/// How many lines `text` tells of: numbered ones, and those that it says were lost.
std::uint64_t count(const std::string& text) {
  std::istringstream lines(text);
  std::uint64_t seen = 0;
  for (std::string line; std::getline(lines, line);) {
    seen += line.starts_with("lost=") ? std::strtoull(line.c_str() + 5, nullptr, 10) : 1;
  }
  return seen;
}

/// Each line is a whole one.
void expect_whole_lines(const std::string& text) {
  EXPECT_TRUE(text.ends_with('\n'));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool whole =
        line.starts_with("lost=") || (line.starts_with("line ") && line.ends_with(" end"));
    EXPECT_TRUE(whole) << line;
  }
}

/// Reads until so many lines are told of.
std::string read_lines(const Ends& ends, LineOutput& output, std::uint64_t lines) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  std::string text;
  while (count(text) < lines && std::chrono::steady_clock::now() < end) {
    pollfd readable{ends.reader.get(), POLLIN, 0};
    ::poll(&readable, 1, 1);
    text += drain(ends.reader.get());
    output.catch_up();
  }
  EXPECT_EQ(count(text), lines);
  expect_whole_lines(text);
  return text;
}

/// Fills it, lets the reader go on, and looks at what came.
void fill_and_read(
    const Ends& ends, const std::function<void()>& go_on = [] {}) {
  const int flags = ::fcntl(ends.writer.get(), F_GETFL);
  LineOutput output(ends.writer.get(), loss_text);
  for (int i = 0; i < kMany; ++i) output.write(numbered(i));
  EXPECT_GT(output.lost(), 0U);
  go_on();
  const std::string text = read_lines(ends, output, kMany);
  EXPECT_NE(text.find("lost="), std::string::npos);
  output.write(numbered(kMany));
  EXPECT_EQ(read_lines(ends, output, 1), numbered(kMany));
  EXPECT_EQ(::fcntl(ends.writer.get(), F_GETFL), flags) << "flags are the parent's, too";
}

TEST_F(LineOutputTest, APipeThatNobodyReads) {
  fill_and_read(small_pipe());
}

TEST_F(LineOutputTest, AStreamSocketThatNobodyReads) {
  fill_and_read(sockets(SOCK_STREAM));
}

TEST_F(LineOutputTest, ADatagramSocketThatNobodyReads) {
  fill_and_read(sockets(SOCK_DGRAM));
}

TEST_F(LineOutputTest, ATerminalThatIsStopped) {
  const Ends ends = terminal();
  ASSERT_EQ(::tcflow(ends.writer.get(), TCOOFF), 0);
  fill_and_read(ends, [&] { ::tcflow(ends.writer.get(), TCOON); });
}

TEST_F(LineOutputTest, ATerminalThatIsNotReadTakesPartsOfLines) {
  fill_and_read(terminal());
}

TEST_F(LineOutputTest, SeveralWritersOfAPipeDoNotCutIntoEachOther) {
  constexpr int kWriters = 3;
  Ends ends = small_pipe();
  for (int writer = 0; writer < kWriters; ++writer) {
    if (::fork() != 0) continue;
    LineOutput output(ends.writer.get(), loss_text);
    for (int i = 0; i < kMany; ++i) output.write(numbered(i));
    ::_exit(0);
  }
  ends.writer.reset();
  std::string text;
  std::array<char, 300> buffer{};
  for (ssize_t got = 1; got > 0;) {
    got = ::read(ends.reader.get(), buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  for (int writer = 0; writer < kWriters; ++writer) ::wait(nullptr);
  expect_whole_lines(text);
}

TEST_F(LineOutputTest, AReaderThatLeft) {
  using Make = Ends (*)();
  for (const Make make : {Make{small_pipe}, Make{[] { return sockets(SOCK_STREAM); }},
                          Make{[] { return sockets(SOCK_DGRAM); }}, Make{terminal}}) {
    Ends ends = make();
    LineOutput output(ends.writer.get(), loss_text);
    output.write(numbered(1));
    ends.reader.reset();
    output.write(numbered(2));
    EXPECT_EQ(output.lost(), 1U);
  }
  Ends ends = small_pipe();
  ends.reader.reset();
  LineOutput output(ends.writer.get(), loss_text);
  output.write(numbered(1));
  EXPECT_EQ(output.lost(), 1U) << "left before the first line";
}

TEST_F(LineOutputTest, AFifoThatIsReadLaterOn) {
  std::string folder = "/tmp/mpb-fifo-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/log";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  const UniqueFd writer(::open(path.c_str(), O_WRONLY));
  reader.reset();
  LineOutput output(writer.get(), loss_text);
  output.write(numbered(1));
  reader.reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  output.write(numbered(2));
  EXPECT_EQ(drain(reader.get()), "lost=1\n" + numbered(2));
  ::unlink(path.c_str());
  ::rmdir(folder.c_str());
}

TEST_F(LineOutputTest, ADiskThatIsFull) {
  const UniqueFd full(::open("/dev/full", O_WRONLY));
  LineOutput output(full.get(), loss_text);
  for (int i = 0; i < 3; ++i) output.write(numbered(i));
  EXPECT_EQ(output.lost(), 3U);
}

TEST_F(LineOutputTest, AFileAtItsLimitGoesOnBehindWhatItHas) {
  std::string path = "/tmp/mpb-file-XXXXXX";
  const UniqueFd file(::mkstemp(path.data()));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{numbered(0).size() * 5 / 2, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  LineOutput output(file.get(), loss_text);
  for (int i = 0; i < 9; ++i) output.write(numbered(i));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(output.lost(), 6U);
  output.catch_up();
  ::lseek(file.get(), 0, SEEK_SET);
  const std::string text = drain(file.get());
  expect_whole_lines(text);
  EXPECT_EQ(count(text), 9U);
  EXPECT_TRUE(text.ends_with("lost=6\n"));
  ::unlink(path.c_str());
}

TEST_F(LineOutputTest, OneThatIsNotForWritingIsLeftAlone) {
  const UniqueFd null(::open("/dev/null", O_RDONLY));
  LineOutput output(null.get(), loss_text);
  output.write(numbered(1));
  LineOutput closed(9999, loss_text);
  closed.write(numbered(1));
  EXPECT_EQ(output.lost() + closed.lost(), 2U);
}

TEST_F(LineOutputTest, ALineThatIsTooLongIsCut) {
  const Ends ends = small_pipe();
  LineOutput output(ends.writer.get(), loss_text);
  output.write(std::string(10'000, 'x') + "\n");
  const std::string text = drain(ends.reader.get());
  EXPECT_EQ(text.size(), LineOutput::kLongest);
  EXPECT_TRUE(text.ends_with("xxx...\n"));
}

/// Without the right to open it again, as a pipe of root's is for other accounts: in a process of
/// its own. 0: well.
int write_without_right(const Ends& ends) {
  if (::geteuid() == 0 && ::seteuid(65534) != 0) return 1;
  if (::open(("/proc/self/fd/" + std::to_string(ends.writer.get())).c_str(), O_WRONLY) >= 0)
    return 2;
  LineOutput output(ends.writer.get(), loss_text);
  for (int i = 0; i < kMany; ++i) output.write(numbered(i));
  if (output.lost() == 0) return 3;
  read_lines(ends, output, kMany);
  return testing::Test::HasFailure() ? 4 : 0;
}

TEST_F(LineOutputTest, WhatMayNotBeOpenedAgainIsWrittenInTheBackground) {
  for (const auto make : {small_pipe, terminal}) {
    const Ends ends = make();
    ASSERT_EQ(::fchmod(ends.writer.get(), 0), 0);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(write_without_right(ends));
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

TEST_F(LineOutputTest, WhatWasTakenInTheBackgroundIsWrittenBeforeTheEnd) {
  const Ends ends = small_pipe();
  {
    BackgroundWriter writer(ends.writer.get());
    for (int i = 0; i < 5; ++i) writer.write(numbered(i));
  }
  const std::string text = drain(ends.reader.get());
  expect_whole_lines(text);
  EXPECT_EQ(count(text), 5U);
}

}  // namespace
}  // namespace mpb
