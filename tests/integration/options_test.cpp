// What the real programs say of their options.
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Options, AValidFileIsConfirmed) {
  const TempFolder folder;
  const std::string file =
      folder.write("ok.ini", "workers = 3\n[listener main]\nlisten = 127.0.0.1:1990\n");
  const Outcome outcome = run("mpbroker", {"--config", file, "--check-config"});
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.err;
}

TEST(Options, WrongFilesNameFileLineKeyAndValue) {
  const TempFolder folder;
  const std::string listener = "[listener main]\nlisten = 127.0.0.1:1990\n";
  const struct {
    std::string text;
    std::vector<std::string> told;
  } kFiles[] = {
      {"workers = 2\nmax-client = 5\n" + listener, {":2:", "max-client", "max-clients"}},
      {"workers = -1\n" + listener, {":1:", "workers = -1", "0 to"}},
      {"linger = 5\n" + listener, {":1:", "linger = 5", "200ms"}},
      {listener + "policy = best\n", {":3:", "[listener main] policy = best", "least, hash"}},
      {listener + "route = 1=9\n", {":3:", "route", "slot 9"}},
      {"workers = 4\nmax-workers = 2\n" + listener, {"max-workers = 2", "workers = 4"}},
      {listener + "[listener two]\nlisten = 127.0.0.1:1990\n", {":4:", "taken"}},
      {"[listner main]\n", {":1:", "[listner main]"}},
      {"workers\n" + listener, {":1:"}},
      {"user = nosuchuser\n" + listener, {":1:", "user = nosuchuser", "account"}},
      {"group = nosuchgroup\n" + listener, {":1:", "group = nosuchgroup", "group of this machine"}},
      {"worker-program = /nonexistent/w\n" + listener,
       {":1:", "worker-program = /nonexistent/w", "can be executed"}},
  };
  for (const auto& file : kFiles) {
    const std::string path = folder.write("wrong.ini", file.text);
    for (const bool check : {true, false}) {
      std::vector<std::string> arguments{"--config", path};
      if (check) arguments.emplace_back("--check-config");
      const Outcome outcome = run("mpbroker", arguments);
      EXPECT_EQ(outcome.exit, "exit 2") << file.text;
      EXPECT_TRUE(has(outcome.err, path)) << outcome.err;
      for (const std::string& part : file.told) {
        EXPECT_TRUE(has(outcome.err, part)) << "'" << part << "' is not in: " << outcome.err;
      }
    }
  }
}

TEST(Options, WrongCommandLinesNameOptionAndValue) {
  const struct {
    std::vector<std::string> arguments;
    std::vector<std::string> told;
  } kLines[] = {
      {{}, {"--listen"}},
      {{"--listen", "nowhere"}, {"--listen nowhere"}},
      {{"--listen", "127.0.0.1:1", "--workers", "x"}, {"--workers x"}},
      {{"--listen", "127.0.0.1:1", "--header-timeout", "7"}, {"--header-timeout 7", "unit"}},
      {{"--listen", "127.0.0.1:1", "--frobnicate", "1"}, {"frobnicate"}},
      {{"--listen", "127.0.0.1:1", "--protocol", "smoke"}, {"--protocol smoke", "control, ping"}},
      {{"--config", "/nonexistent/mp.ini"}, {"/nonexistent/mp.ini"}},
  };
  for (const auto& line : kLines) {
    const Outcome outcome = run("mpbroker", line.arguments);
    EXPECT_TRUE(outcome.exit == "exit 2" || outcome.exit == "exit 1") << outcome.exit;
    for (const std::string& part : line.told) {
      EXPECT_TRUE(has(outcome.err, part)) << "'" << part << "' is not in: " << outcome.err;
    }
  }
}

TEST(Options, HelpShowsEveryNameThatScriptsUse) {
  const Outcome outcome = run("mpbroker", {"--help"});
  EXPECT_EQ(outcome.exit, "exit 0");
  for (const char* name :
       {"--listen", "--protocol", "--handler", "--policy", "--overflow", "--workers", "--acceptors",
        "--max-workers", "--max-clients", "--linger", "--header-timeout", "--idle-timeout",
        "--drain-timeout", "--control-socket", "--config", "--check-config", "--worker-program"}) {
    EXPECT_TRUE(has(outcome.out, name)) << name;
  }
  EXPECT_TRUE(has(outcome.out, "4096")) << "defaults are shown";
}

TEST(Options, EveryProgramTellsItsVersionAndHelp) {
  for (const char* program : {"mpbroker", "mpworker", "mpctl", "mpclient"}) {
    for (const char* option : {"--version", "--help"}) {
      const Outcome outcome = run(program, {option});
      EXPECT_EQ(outcome.exit, "exit 0") << program << ' ' << option;
      EXPECT_TRUE(has(outcome.out, program)) << program << ' ' << option;
    }
  }
}

TEST(Options, TheCommandLineWinsOverTheFile) {
  BrokerSetup setup;
  setup.config = "workers = 1\n[listener default]\nlisten = 127.0.0.1:PORT\n";
  setup.arguments = {"--workers", "3"};
  const BrokerProcess broker(setup);
  EXPECT_EQ(broker.status().count("online"), 3U);
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
}

TEST(Options, TheDescriptorLimitIsRaisedAndTold) {
  for (const char* workers : {"2", "0"}) {
    const BrokerProcess broker({"--workers", workers});
    EXPECT_NE(broker.log().find("event=limits nofile="), std::string::npos) << broker.log();
    EXPECT_NE(broker.log().find(" clients_per_worker="), std::string::npos) << broker.log();
  }
}

TEST(Options, WhatASingleProcessMakesNothingOfIsToldOncePerOption) {
  BrokerSetup setup;
  setup.config =
      "workers = 0\nmax-workers = 4\nacceptors = 2\nidle-timeout = 1m\n"
      "[listener main]\nlisten = 127.0.0.1:PORT\npolicy = hash\n";
  setup.await_ready = false;
  const BrokerProcess single(setup);
  ASSERT_TRUE(eventually([&] { return has(single.log(), "event=listening"); }));
  const std::string log = single.log();
  for (const char* option : {"control-socket", ":2: max-workers = 4", ":3: acceptors = 2",
                             ":7: [listener main] policy = hash"}) {
    const auto line = log.find(option);
    ASSERT_NE(line, std::string::npos) << option << " is not in: " << log;
    EXPECT_EQ(log.find(option, line + 1), std::string::npos) << option;
  }
  EXPECT_TRUE(has(log, "event=ignored option=")) << log;
  EXPECT_FALSE(has(log, "idle-timeout")) << log;
}

TEST(Options, WorkersRunAsTheUserAndGroupThatAreNamed) {
  const passwd* nobody = ::getpwnam("nobody");
  const group* daemon = ::getgrnam("daemon");
  if (::geteuid() != 0 || nobody == nullptr || daemon == nullptr) {
    GTEST_SKIP() << "needs root, a user nobody and a group daemon";
  }
  const TempFolder folder;  // where anybody may execute it
  ::chmod(folder.path().c_str(), 0755);
  const std::string worker = folder.file("mpworker");
  std::filesystem::copy_file(program_path("mpworker"), worker);
  const auto expect_run_as = [&](std::vector<std::string> options, gid_t gid) {
    options.insert(options.end(), {"--worker-program", worker});
    const BrokerProcess broker(options);
    for (const WorkerStatus& status : broker.status().workers) {
      struct stat process {};
      ASSERT_EQ(::stat(("/proc/" + std::to_string(status.pid)).c_str(), &process), 0);
      EXPECT_EQ(process.st_uid, nobody->pw_uid);
      EXPECT_EQ(process.st_gid, gid);
    }
    for (int id = 0; id < 10; ++id) {
      Client client(broker.port());
      EXPECT_EQ(client.claim(id), kHello);
    }
  };
  expect_run_as({"--user", "nobody"}, nobody->pw_gid);
  expect_run_as({"--user", "nobody", "--group", "daemon"}, daemon->gr_gid);
}

}  // namespace
}  // namespace mpb::test
