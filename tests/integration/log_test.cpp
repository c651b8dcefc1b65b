// Standard error may stop, fail or never have been there: the service goes on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>

#include "common/base/unique_fd.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr int kMany = 150;  // reloads, each with a line or more

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What standard error is; `near` is closed once the programs have it.
struct Ends {
  UniqueFd reader;
  UniqueFd near;
};

Ends full_pipe() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  ::fcntl(fds[1], F_SETPIPE_SZ, 4096);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends stopped_terminal() {
  int master = -1;
  int slave = -1;
  EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  EXPECT_EQ(::tcflow(slave, TCOOFF), 0);
  return {UniqueFd(master), UniqueFd(slave)};
}

/// As journald's, but with little room.
Ends unread_socket() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  const int small = 1;
  ::setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::function<void()> with_standard_error(int fd) {
  return [fd] { ::dup2(fd, STDERR_FILENO); };
}

BrokerSetup broker_setup(std::function<void()> before_exec) {
  BrokerSetup setup;
  setup.before_exec = std::move(before_exec);
  return setup;
}

BrokerSetup single_setup(std::function<void()> before_exec) {
  BrokerSetup setup = broker_setup(std::move(before_exec));
  setup.arguments = {"--workers", "0"};
  return setup;
}

/// Requests and clients are served all the while.
void write_much(BrokerProcess& broker) {
  for (int i = 0; i < kMany; ++i) {
    ASSERT_EQ(broker.request({{"command", "reload"}}).at("ok"), true);
  }
  EXPECT_EQ(Client(broker.port()).claim(1), kHello);
}

void write_much_alone(BrokerProcess& single) {
  Client client(single.port());
  for (int i = 0; i < kMany; ++i) {
    single.signal(SIGHUP);
    ASSERT_EQ(client.who().worker, 0);
  }
}

/// Reads what was kept and what comes, until it has `part`.
bool read_until(int fd, const std::string& part) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  std::string text;
  return eventually([&] {
    std::array<char, 65536> buffer{};
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    return has(text, part);
  });
}

std::int64_t dropped_lines(const BrokerProcess& broker) {
  const auto status = broker.request({{"command", "status"}});
  return status.at("broker").at("log_dropped").as_int64();
}

class UnreadLog : public testing::TestWithParam<Ends (*)()> {};

TEST_P(UnreadLog, DoesNotStopTheBroker) {
  const Ends ends = GetParam()();
  BrokerProcess broker(broker_setup(with_standard_error(ends.near.get())));
  write_much(broker);
  EXPECT_GT(dropped_lines(broker), 0);
  ::tcflow(ends.near.get(), TCOON);
  EXPECT_TRUE(read_until(ends.reader.get(), " program=mpbroker event=log.dropped lines="));
}

TEST_P(UnreadLog, DoesNotStopTheSingleProcess) {
  const Ends ends = GetParam()();
  BrokerProcess single(single_setup(with_standard_error(ends.near.get())));
  write_much_alone(single);
  ::tcflow(ends.near.get(), TCOON);
  EXPECT_TRUE(read_until(ends.reader.get(), " event=log.dropped lines="));
}

INSTANTIATE_TEST_SUITE_P(Log, UnreadLog,
                         testing::Values(full_pipe, stopped_terminal, unread_socket));

TEST(Log, AReaderThatLeftDoesNotEndAnybody) {
  Ends ends = full_pipe();
  ends.reader.reset();
  BrokerProcess broker(broker_setup(with_standard_error(ends.near.get())));
  write_much(broker);
  BrokerProcess single(single_setup(with_standard_error(ends.near.get())));
  write_much_alone(single);
  EXPECT_TRUE(broker.running());
}

TEST(Log, ADiskThatIsFullDoesNotEndAnybody) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  BrokerProcess broker(broker_setup(with_standard_error(full.get())));
  write_much(broker);
  EXPECT_GT(dropped_lines(broker), 0);
}

TEST(Log, AFileAtTheLimitOfItsSizeDoesNotEndAnybody) {
  const auto limited = [] {
    const rlimit small{2000, 2000};
    ::setrlimit(RLIMIT_FSIZE, &small);
  };
  BrokerProcess broker(broker_setup(limited));
  const pid_t worker = broker.worker_pid(0);
  write_much(broker);
  EXPECT_GT(dropped_lines(broker), 0);
  EXPECT_EQ(broker.worker_pid(0), worker);
  BrokerProcess single(single_setup(limited));
  write_much_alone(single);
}

TEST(Log, AnEarlyErrorDoesNotWaitForAReader) {
  const Ends ends = full_pipe();
  ProgramStart start;
  start.program = program_path("mpbroker");
  start.arguments = {"--no-such-option"};
  start.before_exec = [&] {
    ::fcntl(ends.near.get(), F_SETFL, O_NONBLOCK);
    while (::write(ends.near.get(), "x", 1) == 1) continue;
    ::fcntl(ends.near.get(), F_SETFL, 0);
    ::dup2(ends.near.get(), STDERR_FILENO);
  };
  EXPECT_EQ(ChildProcess(start).wait_exit(kPatience), "exit 2");
  start.program = program_path("mpworker");
  EXPECT_EQ(ChildProcess(start).wait_exit(kPatience), "exit 2");
}

TEST(Log, StandardDescriptorsThatAreClosedAreNotTakenByASocket) {
  const auto without = [] {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) ::close(fd);
  };
  const auto expect_null = [](pid_t pid) {
    for (const char* fd : {"0", "1", "2"}) {
      const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + fd;
      EXPECT_EQ(std::filesystem::read_symlink(path), "/dev/null") << fd;
    }
  };
  BrokerProcess broker(broker_setup(without));
  write_much(broker);
  expect_null(broker.pid());
  expect_null(broker.worker_pid(0));
  BrokerProcess single(single_setup(without));
  expect_null(single.pid());
}

TEST(Log, MpctlDoesWithoutStandardDescriptors) {
  BrokerProcess broker;
  ProgramStart start;
  start.program = program_path("mpctl");
  start.arguments = {"--control-socket", broker.control_path(), "status"};
  start.before_exec = [] {
    ::close(STDOUT_FILENO);
    ::close(STDIN_FILENO);
  };
  EXPECT_EQ(ChildProcess(start).wait_exit(kPatience), "exit 0");
}

TEST(Log, WorkersTellTheirSlotAndTheirProcess) {
  BrokerProcess broker({"--workers", "2"});
  const pid_t worker = broker.worker_pid(1);
  ::kill(worker, SIGTERM);
  const std::string line =
      " program=mpworker slot=1 pid=" + std::to_string(worker) + " event=draining";
  EXPECT_TRUE(eventually([&] { return has(broker.log(), line); })) << broker.log();
  BrokerProcess single({"--workers", "0"});
  EXPECT_TRUE(has(single.log(),
                  " program=mpworker pid=" + std::to_string(single.pid()) + " event=listening"))
      << single.log();
}

}  // namespace
}  // namespace mpb::test
