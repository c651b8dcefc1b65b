#include "broker/operator/control_socket.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "tests/support/descriptors.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

constexpr Duration kLimit{5'000};  // what must come comes long before
constexpr Duration kQuiet{30};     // what must not come would have come

/// Answers at once with the command's name, or when told to.
struct Commands {
  void operator()(const json::object& request, ControlReply reply) {
    asked.push_back(request);
    if (during) during();
    if (later) {
      replies.push_back(std::move(reply));
    } else {
      reply({{"ok", true}, {"command", request.at("command")}, {"n", asked.size()}});
    }
  }
  std::vector<json::object> asked;
  std::vector<ControlReply> replies;
  std::function<void()> during;
  bool later = false;
};

/// A control client that never blocks.
class Client {
 public:
  explicit Client(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const auto endpoint = parse_endpoint("unix:" + path);
    connected_ = ::connect(socket_.get(), endpoint->data(), endpoint->length) == 0;
  }
  [[nodiscard]] bool connected() const { return connected_; }
  /// How much the kernel took.
  std::size_t send(std::string_view text) {
    const ssize_t size = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return size < 0 ? 0 : static_cast<std::size_t>(size);
  }
  void half_close() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }

  void read() {
    std::array<char, 65536> bytes{};
    for (;;) {
      const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
      if (size > 0) {
        received += std::string_view(bytes.data(), static_cast<std::size_t>(size));
        continue;
      }
      ended = ended || size == 0 || errno == ECONNRESET;
      return;
    }
  }
  [[nodiscard]] std::vector<json::object> lines() const {
    std::vector<json::object> all;
    for (std::size_t begin = 0, end = 0; (end = received.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      all.push_back(json::parse(received.substr(begin, end - begin)).as_object());
    }
    return all;
  }
  std::string received;
  bool ended = false;

 private:
  UniqueFd socket_;
  bool connected_ = false;
};

class ControlSocketTest : public ::testing::Test {
 protected:
  ControlSocketTest() {
    std::string folder = ::testing::TempDir() + "mpbXXXXXX";
    folder_ = ::mkdtemp(folder.data());
    path_ = folder_ + "/control.sock";
    open();
  }
  ~ControlSocketTest() override {
    socket_.reset();
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }

  void open() {
    socket_ = std::make_unique<ControlSocket>(loop_, std::ref(commands_), limits_);
    const Status opened = socket_->open(path_);
    ASSERT_TRUE(opened) << opened.error().text;
  }
  void reopen() {
    socket_.reset();
    open();
  }
  template <class Done>
  bool turn_until(Client& client, Done&& done) {
    const TimePoint end = Clock::now() + kLimit;
    while (Clock::now() < end) {
      client.read();
      if (done()) return true;
      loop_.turn(Duration{1});
    }
    return false;
  }
  bool gets_lines(Client& client, std::size_t count) {
    return turn_until(client, [&] { return client.lines().size() >= count; });
  }
  bool gets_end(Client& client) {
    return turn_until(client, [&] { return client.ended; });
  }
  void turn_quietly() {
    const TimePoint end = Clock::now() + kQuiet;
    while (Clock::now() < end) loop_.turn(Duration{1});
  }

  EventLoop loop_;
  Commands commands_;
  ControlLimits limits_;
  std::string folder_;
  std::string path_;
  std::unique_ptr<ControlSocket> socket_;
};

constexpr std::string_view kStatus = "{\"command\":\"status\"}\n";
constexpr std::string_view kEvents = "{\"command\":\"events\"}\n";

// --- the path ------------------------------------------------------------------------------------

TEST_F(ControlSocketTest, IsForItsOwnerOnlyAndGoesWithIt) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  socket_.reset();
  EXPECT_NE(::stat(path_.c_str(), &status), 0);
}

TEST_F(ControlSocketTest, TakesThePathOfADeadBrokerOnly) {
  ControlSocket second(loop_, std::ref(commands_));
  const Status opened = second.open(path_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text.find(path_), std::string::npos) << opened.error().text;
  socket_.reset();
  ASSERT_TRUE(listen_on(parse_endpoint("unix:" + path_).value(), 1)) << "closed, its path stays";
  EXPECT_TRUE(second.open(path_));
}

TEST_F(ControlSocketTest, LeavesThePathToItsNextOwner) {
  ::unlink(path_.c_str());
  std::ofstream(path_) << "another's";
  socket_.reset();
  struct stat status {};
  EXPECT_EQ(::stat(path_.c_str(), &status), 0);
}

TEST_F(ControlSocketTest, NamesAPathThatCannotBe) {
  ControlSocket other(loop_, std::ref(commands_));
  const Status missing = other.open(folder_ + "/nowhere/control.sock");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().text.find("nowhere"), std::string::npos);
  EXPECT_FALSE(other.open(std::string(200, 'x')));
}

// --- requests and answers ------------------------------------------------------------------------

TEST_F(ControlSocketTest, AnswersARequest) {
  Client client(path_);
  ASSERT_TRUE(client.connected());
  client.send("{\"command\":\"drain\",\"slot\":3}\n");
  ASSERT_TRUE(gets_lines(client, 1));
  EXPECT_EQ(client.lines()[0].at("command"), "drain");
  EXPECT_EQ(commands_.asked[0].at("slot"), 3);
}

TEST_F(ControlSocketTest, TakesARequestInPieces) {
  Client client(path_);
  for (const char c : kStatus) {
    EXPECT_TRUE(client.received.empty());
    client.send({&c, 1});
    loop_.turn(Duration{1});
    client.read();
  }
  EXPECT_TRUE(gets_lines(client, 1));
}

TEST_F(ControlSocketTest, AnswersManyAtOnceInTheirOrder) {
  constexpr int kRequests = 500;
  Client client(path_);
  std::string all;
  for (int i = 0; i < kRequests; ++i) all += "{\"command\":\"c" + std::to_string(i) + "\"}\n";
  ASSERT_EQ(client.send(all), all.size());
  ASSERT_TRUE(gets_lines(client, kRequests));
  for (int i = 0; i < kRequests; ++i) {
    EXPECT_EQ(client.lines()[static_cast<std::size_t>(i)].at("command").as_string(),
              "c" + std::to_string(i));
  }
}

TEST_F(ControlSocketTest, AskedLaterInTheirOrderToo) {
  commands_.later = true;
  Client client(path_);
  client.send("{\"command\":\"a\"}\nnonsense\n{\"command\":\"b\"}\n");
  turn_quietly();
  ASSERT_EQ(commands_.asked.size(), 1U) << "one at a time";
  commands_.replies[0]({{"ok", true}, {"n", 1}});
  ASSERT_TRUE(turn_until(client, [&] { return commands_.replies.size() == 2; }));
  commands_.replies[1]({{"ok", true}, {"n", 2}});
  ASSERT_TRUE(gets_lines(client, 3));
  EXPECT_EQ(client.lines()[0].at("n"), 1);
  EXPECT_EQ(client.lines()[1].at("ok"), false);
  EXPECT_EQ(client.lines()[2].at("n"), 2);
}

TEST_F(ControlSocketTest, DoesNotAskTheBrokerFromWithinItsReply) {
  commands_.later = true;
  Client client(path_);
  client.send("{\"command\":\"a\"}\n{\"command\":\"b\"}\n");
  turn_quietly();
  commands_.replies[0]({{"ok", true}});
  EXPECT_EQ(commands_.asked.size(), 1U);
}

TEST_F(ControlSocketTest, OneConnectionDoesNotTakeAWholeTurn) {
  Client client(path_);
  std::string all;
  for (int i = 0; i < 1000; ++i) all += kStatus;
  client.send(all);
  loop_.turn(kLimit);  // accepts
  loop_.turn(kLimit);
  EXPECT_EQ(commands_.asked.size(), limits_.requests_per_turn);
  EXPECT_TRUE(gets_lines(client, 1000));
}

TEST_F(ControlSocketTest, AnswersOneThatHasSaidItsLast) {
  Client client(path_);
  client.send("{\"command\":\"a\"}\n{\"command\":\"b\"}");
  client.half_close();
  ASSERT_TRUE(gets_end(client));
  EXPECT_EQ(client.lines().size(), 2U);
  EXPECT_EQ(socket_->connections(), 0U);
}

// --- replies without anybody to get them ---------------------------------------------------------

TEST_F(ControlSocketTest, AReplyToOneThatIsGoneIsDropped) {
  commands_.later = true;
  Client client(path_);
  client.send(kStatus);
  ASSERT_TRUE(turn_until(client, [&] { return commands_.replies.size() == 1; }));
  client.close();
  turn_quietly();
  EXPECT_EQ(socket_->connections(), 0U) << "closed at once";
  commands_.replies[0]({{"ok", true}});
}

TEST_F(ControlSocketTest, AReplyAfterTheSocketIsDropped) {
  commands_.later = true;
  Client client(path_);
  client.send(kStatus);
  ASSERT_TRUE(turn_until(client, [&] { return commands_.replies.size() == 1; }));
  socket_.reset();
  commands_.replies[0]({{"ok", true}});
  EXPECT_TRUE(gets_end(client));
}

TEST_F(ControlSocketTest, ASecondReplyIsDropped) {
  commands_.later = true;
  Client client(path_);
  client.send(std::string(kStatus) + std::string(kStatus));
  ASSERT_TRUE(turn_until(client, [&] { return commands_.replies.size() == 1; }));
  commands_.replies[0]({{"ok", true}});
  ASSERT_TRUE(turn_until(client, [&] { return commands_.replies.size() == 2; }));
  commands_.replies[0]({{"ok", true}});
  turn_quietly();
  client.read();
  EXPECT_EQ(client.lines().size(), 1U);
}

TEST_F(ControlSocketTest, MayEndDuringARequest) {
  commands_.during = [&] { socket_.reset(); };
  Client client(path_);
  client.send(std::string(kStatus) + std::string(kStatus));
  EXPECT_TRUE(gets_end(client));
  EXPECT_EQ(commands_.asked.size(), 1U);
}

// --- malformed and hostile -----------------------------------------------------------------------

TEST_F(ControlSocketTest, SaysWhatIsWrongWithARequestAndGoesOn) {
  const std::vector<std::string> wrong{
      "",
      "status",
      "{\"command\":\"status\"",
      "[1,2]",
      "{}",
      "{\"command\":7}",
      "\"status\"",
      "{\"command\":\"\xff\"}",
      std::string("{\"command\":\"a\0b\"}", 17),
      "{\"command\":\"a\",\"x\":" + std::string(100, '[') + std::string(100, ']') + "}",
      std::string(30'000, '['),
  };
  Client client(path_);
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    client.send(wrong[i] + '\n');
    ASSERT_TRUE(gets_lines(client, i + 1)) << wrong[i];
    EXPECT_EQ(client.lines()[i].at("ok"), false) << wrong[i];
    EXPECT_FALSE(client.lines()[i].at("error").as_string().empty());
  }
  EXPECT_TRUE(commands_.asked.empty());
  client.send(kStatus);
  EXPECT_TRUE(gets_lines(client, wrong.size() + 1));
  EXPECT_EQ(commands_.asked.size(), 1U);
}

TEST_F(ControlSocketTest, TakesTheLongestLineAndRefusesALongerOne) {
  std::string longest = "{\"command\":\"a\"}";
  longest.append(limits_.line - longest.size(), ' ');
  Client client(path_);
  client.send(longest + '\n');
  ASSERT_TRUE(gets_lines(client, 1));
  EXPECT_EQ(client.lines()[0].at("ok"), true);
  client.send(longest + " \n");
  ASSERT_TRUE(gets_end(client));
  ASSERT_EQ(client.lines().size(), 2U);
  EXPECT_EQ(client.lines()[1].at("ok"), false);
}

TEST_F(ControlSocketTest, OneThatDoesNotReadIsNotServedOnAndThenClosed) {
  limits_.unread = 4096;
  limits_.idle = Duration{100};
  reopen();
  Client client(path_);
  std::string all;
  while (all.size() < 1'000'000) all += kStatus;
  std::size_t asked = 0;
  bool took = true;
  while (took) {  // until no request is taken any more
    took = client.send(all) > 0;
    for (int i = 0; i < 100; ++i) loop_.turn(Duration{0});
    took = took || commands_.asked.size() > asked;
    asked = commands_.asked.size();
  }
  EXPECT_GT(asked, 0U);
  const TimePoint end = Clock::now() + kLimit;
  while (socket_->connections() > 0 && Clock::now() < end) loop_.turn(Duration{5});
  EXPECT_EQ(socket_->connections(), 0U);
}

TEST_F(ControlSocketTest, ClosesAnIdleConnectionButNoSubscriber) {
  limits_.idle = Duration{50};
  reopen();
  Client idle(path_);
  Client partial(path_);
  Client subscriber(path_);
  partial.send("{\"comm");
  subscriber.send(kEvents);
  ASSERT_TRUE(gets_end(idle));
  ASSERT_TRUE(gets_end(partial));
  ASSERT_TRUE(gets_lines(subscriber, 1));
  turn_quietly();
  EXPECT_EQ(socket_->connections(), 1U);
  socket_->publish({{"event", "online"}});
  EXPECT_TRUE(gets_lines(subscriber, 2));
}

TEST_F(ControlSocketTest, WaitsForTheBrokerAsLongAsItTakes) {
  limits_.idle = Duration{20};
  reopen();
  commands_.later = true;
  Client client(path_);
  client.send(kStatus);
  turn_quietly();
  turn_quietly();
  ASSERT_EQ(commands_.replies.size(), 1U);
  commands_.replies[0]({{"ok", true}});
  EXPECT_TRUE(gets_lines(client, 1));
}

TEST_F(ControlSocketTest, TellsOneTooManyAndClosesIt) {
  limits_.connections = 2;
  reopen();
  Client first(path_);
  Client second(path_);
  Client third(path_);
  ASSERT_TRUE(gets_end(third));
  ASSERT_EQ(third.lines().size(), 1U);
  EXPECT_EQ(third.lines()[0].at("ok"), false);
  first.close();
  turn_quietly();
  Client fourth(path_);
  fourth.send(kStatus);
  EXPECT_TRUE(gets_lines(fourth, 1));
}

TEST_F(ControlSocketTest, OutOfDescriptorsPausesAndGoesOn) {
  limits_.accept_pause = Duration{50};
  reopen();
  Client client(path_);
  client.send(kStatus);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  loop_.turn(kLimit);
  const TimePoint begin = Clock::now();
  loop_.turn(kLimit);  // the end of the pause
  EXPECT_GE(Clock::now() - begin, limits_.accept_pause / 2) << "no spinning";
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(gets_lines(client, 1));
}

TEST_F(ControlSocketTest, WithoutDescriptorsClientsAreToldSo) {
  Client first(path_);
  Client second(path_);
  {
    const test::NoMoreDescriptors none;
    loop_.turn(kLimit);
  }
  for (Client* client : {&first, &second}) {
    ASSERT_TRUE(gets_end(*client));
    ASSERT_EQ(client->lines().size(), 1U);
    EXPECT_EQ(client->lines()[0].at("ok"), false);
    EXPECT_NE(client->lines()[0].at("error").as_string().find("no descriptors"), std::string::npos);
  }
  Client third(path_);
  third.send(kStatus);
  EXPECT_TRUE(gets_lines(third, 1));
}

TEST_F(ControlSocketTest, LeaksNoDescriptor) {
  turn_quietly();
  const std::size_t before = test::open_descriptors();
  for (int i = 0; i < 20; ++i) {
    Client client(path_);
    client.send(i % 3 == 0 ? "garbage\n" : i % 3 == 1 ? kStatus : kEvents);
    if (i % 2 == 0) loop_.turn(Duration{1});
    client.close();
    turn_quietly();
  }
  EXPECT_EQ(socket_->connections(), 0U);
  EXPECT_LE(test::open_descriptors(), before);
}

// --- events --------------------------------------------------------------------------------------

TEST_F(ControlSocketTest, StreamsEventsToSubscribersOnly) {
  Client client(path_);
  Client other(path_);
  client.send(std::string(kStatus) + std::string(kEvents));
  ASSERT_TRUE(gets_lines(client, 2));
  other.send(kStatus);
  ASSERT_TRUE(gets_lines(other, 1));
  socket_->publish({{"event", "online"}, {"slot", 1}});
  socket_->publish({{"event", "exit"}, {"slot", 2}});
  ASSERT_TRUE(gets_lines(client, 4));
  EXPECT_EQ(client.lines()[1], (json::object{{"ok", true}}));
  EXPECT_EQ(client.lines()[2], (json::object{{"event", "online"}, {"slot", 1}}));
  EXPECT_EQ(client.lines()[3].at("event"), "exit");
  other.read();
  EXPECT_EQ(other.lines().size(), 1U);
  for (const json::object& request : commands_.asked) EXPECT_NE(request.at("command"), "events");
}

TEST_F(ControlSocketTest, ASubscriberThatHasSaidItsLastGoesOnReading) {
  Client client(path_);
  client.send(kEvents);
  client.half_close();
  ASSERT_TRUE(gets_lines(client, 1));
  turn_quietly();
  socket_->publish({{"event", "online"}});
  EXPECT_TRUE(gets_lines(client, 2));
}

TEST_F(ControlSocketTest, ClosesASubscriberThatDoesNotRead) {
  Client slow(path_);
  Client quick(path_);
  slow.send(kEvents);
  quick.send(kEvents);
  ASSERT_TRUE(gets_lines(quick, 1));
  ASSERT_TRUE(gets_lines(slow, 1));
  const json::object event{{"event", "online"}, {"text", std::string(1000, 'x')}};
  std::size_t published = 0;
  while (socket_->connections() == 2 && published < 10'000) {
    socket_->publish(event);
    ++published;
    loop_.turn(Duration{0});
    quick.read();
  }
  EXPECT_EQ(socket_->connections(), 1U);
  EXPECT_GE(published * 1000, limits_.unread) << "that much was allowed";
  ASSERT_TRUE(gets_lines(quick, published + 1)) << "the other one misses nothing";
}

TEST_F(ControlSocketTest, EventsMayArriveDuringARequest) {
  commands_.during = [&] { socket_->publish({{"event", "drain"}}); };
  Client client(path_);
  client.send(std::string(kEvents) + std::string(kStatus));
  ASSERT_TRUE(gets_lines(client, 3));
  EXPECT_EQ(client.lines()[1].at("event"), "drain");
  EXPECT_EQ(client.lines()[2].at("command"), "status");
}

}  // namespace
}  // namespace mpb
