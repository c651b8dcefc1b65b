// The handler `forward` between sockets of this process: its clients on one side, upstreams that
// behave as each test needs on the other.
#include "worker/rtmp/forward/forward.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <future>
#include <memory>
#include <random>

#include "common/io/endpoint.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"
#include "proto/rtmp/prefix.hpp"
#include "tests/support/answered.hpp"
#include "tests/support/descriptors.hpp"
#include "worker/names/name_resolver.hpp"

namespace mpb::rtmp {
namespace {

constexpr Duration kPatience{10'000};

/// Takes what has come; false at the end of the connection.
bool receive(int fd, std::string& received) {
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return false;
    if (count < 0) return true;
    received.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

/// The description in an `_error` of connect; empty: it is none.
std::string rejection_in(std::string_view bytes) {
  ChunkReader reader(4096);
  Message message;
  if (reader.read(bytes, message) != ChunkReader::Result::kMessage) return {};
  const auto command = read_command(message);
  if (!command || command->name != "_error" || command->arguments.size() < 2) return {};
  const amf0::Object* info = command->arguments[1].object();
  if (info == nullptr || amf0::text(*info, "code") != "NetConnection.Connect.Rejected") return {};
  return std::string(amf0::text(*info, "description"));
}

/// A server of one client at a time.
class Upstream {
 public:
  explicit Upstream(std::string prefix = {}) : prefix_(std::move(prefix)) {
    listener_ = std::move(listen_on(parse_endpoint("127.0.0.1:0").value(), 16).value());
  }
  [[nodiscard]] std::string address() const {
    return local_endpoint(listener_.get()).value().to_string();
  }
  /// Its address under another name.
  [[nodiscard]] std::string address_as(const std::string& host) const {
    return host + address().substr(address().rfind(':'));
  }
  void stop_listening() { listener_.reset(); }

  /// Accepts and reads; answers the handshake unless told not to.
  void serve() {
    if (!client_ && listener_) {
      client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client_) ++accepted_;
    }
    if (!client_) return;
    ended_ = !receive(client_.get(), received_) || ended_;
    if (answers_handshake_ && !answered_ && received_.size() >= prefix_.size() + kHelloSize) {
      answered_ = true;
      say(answer_hello(std::string_view(received_).substr(prefix_.size(), kHelloSize), random_));
    }
  }
  void say(const std::string& text) const {
    EXPECT_EQ(::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  /// What of it the socket takes.
  [[nodiscard]] std::string try_to_say(const std::string& text) const {
    const ssize_t count =
        ::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count < 0 ? std::string() : text.substr(0, static_cast<std::size_t>(count));
  }
  void hang_up() {
    client_.reset();
    received_.clear();
    answered_ = false;
  }
  [[nodiscard]] bool has_client() const { return client_.valid(); }
  [[nodiscard]] int accepted() const { return accepted_; }
  [[nodiscard]] bool saw_end() const { return ended_; }
  void ignore_handshakes() { answers_handshake_ = false; }

  [[nodiscard]] std::string prefix() const { return received_.substr(0, prefix_.size()); }
  /// What came behind the handshake.
  [[nodiscard]] std::string request() const {
    const std::size_t handshake = prefix_.size() + kHelloSize + kHandshakeBlock;
    return received_.size() < handshake ? std::string() : received_.substr(handshake);
  }

 private:
  UniqueFd listener_;
  UniqueFd client_;
  std::string prefix_;  // as long as the one it expects
  std::string received_;
  std::mt19937_64 random_{1};
  int accepted_ = 0;
  bool answered_ = false;
  bool answers_handshake_ = true;
  bool ended_ = false;
};

/// A session as the handler sees it.
class FakeConnection final : public Connection {
 public:
  explicit FakeConnection(int fd) : fd_(fd) {}
  std::optional<std::size_t> send(std::span<const iovec> slices) override {
    const ssize_t count = ::writev(fd_, slices.data(), static_cast<int>(slices.size()));
    if (count < 0) return std::nullopt;
    return static_cast<std::size_t>(count);
  }
  bool write(std::string_view) override { return false; }
  std::optional<std::size_t> send_file(int, off_t, std::size_t) override { return std::nullopt; }
  void proceed() override {}
  void finish() override {
    finished = true;
    ::shutdown(fd_, SHUT_WR);
  }
  void close_slow() override {}
  void exempt_from_idle(bool) override {}
  void note_progress(bool waits) override {
    ++progress;
    unread = waits;
  }
  [[nodiscard]] int descriptor() const override { return fd_; }

  bool finished = false;
  bool unread = false;
  int progress = 0;

 private:
  int fd_;
};

class RtmpForwardTest : public testing::Test {
 protected:
  RtmpForwardTest() {
    UniqueFd listener = std::move(listen_on(parse_endpoint("127.0.0.1:0").value(), 1).value());
    const Endpoint address = local_endpoint(listener.get()).value();
    peer_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(peer_.get(), address.data(), address.length), 0);
    ours_.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    EXPECT_TRUE(ours_.valid());
    connection_ = std::make_unique<FakeConnection>(ours_.get());
    client_.key = "a.test";
    client_.connection = connection_.get();
    append_set_chunk_size(request_, 4096);
    append_connect(request_, "live", "rtmp://a.test/live", 4096);
    request_ += "whatever comes behind it";
  }
  ~RtmpForwardTest() override { forward_.on_close(client_); }

  void configure(const std::vector<const Upstream*>& upstreams,
                 UpstreamPrefix prefix = UpstreamPrefix::kNone, Duration timeout = kPatience) {
    VhostSettings vhost;
    vhost.name = "a.test";
    for (const Upstream* upstream : upstreams) vhost.upstreams.push_back({upstream->address()});
    vhost.upstream_prefix = prefix;
    vhost.upstream_timeout = timeout;
    environment_.vhosts.replace({vhost});
  }

  void configure_as(std::vector<mpb::Upstream> upstreams, Duration timeout = kPatience) {
    VhostSettings vhost;
    vhost.name = "a.test";
    vhost.upstreams = std::move(upstreams);
    vhost.upstream_timeout = timeout;
    environment_.vhosts.replace({vhost});
  }
  NameResolver& names() { return environment_.shared<NameResolver>(); }

  /// What a session does with C2 and what follows it.
  Step::Next give(const std::string& request) {
    const std::string bytes = std::string(kHandshakeBlock, 'c') + request;
    Step step = forward_.on_bytes(client_, bytes, out_);
    if (step.next == Step::Next::kYield) step = forward_.on_bytes(client_, bytes, out_);
    return step.next;
  }

  bool turn_until(const std::function<bool()>& condition, const std::vector<Upstream*>& upstreams) {
    const TimePoint limit = Clock::now() + kPatience;
    while (Clock::now() < limit) {
      loop_.turn(Duration{1});
      for (Upstream* upstream : upstreams) upstream->serve();
      if (reads_) peer_ended_ = !receive(peer_.get(), received_) || peer_ended_;
      if (condition()) return true;
    }
    return false;
  }
  /// The client is with `upstream`, which has got its request.
  void settle(Upstream& upstream) {
    ASSERT_EQ(give(request_), Step::Next::kDetach);
    ASSERT_TRUE(turn_until([&] { return upstream.request() == request_; }, {&upstream}));
  }
  /// Says as much as the sockets and the pipe between them take of a client that does not read.
  std::string fill_up(const Upstream& upstream) {
    reads_ = false;
    std::string said;
    for (int quiet = 0; quiet < 20;) {
      const std::string part(50'000, static_cast<char>('a' + said.size() % 26));
      const std::string taken = upstream.try_to_say(part);
      quiet = taken.empty() ? quiet + 1 : 0;
      said += taken;
      loop_.turn(Duration{1});
    }
    return said;
  }
  [[nodiscard]] UpstreamEntry first_upstream() const {
    return test::answered<UpstreamEntry>(environment_).entries.at(0);
  }
  void expect_failed_without_blame() const {
    const UpstreamCounters counters = first_upstream().counters;
    EXPECT_EQ(counters.failed, 1U);
    EXPECT_EQ(counters.failures, 0U);
    EXPECT_EQ(counters.served, 0U);
  }
  void send(const std::string& text) const {
    ASSERT_EQ(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  EventLoop loop_;
  WorkerEnvironment environment_{loop_};
  Forward forward_{environment_};
  UniqueFd peer_;
  UniqueFd ours_;
  std::unique_ptr<FakeConnection> connection_;
  Client client_;
  std::string request_;
  std::string out_;
  std::string received_;  // by the client
  bool peer_ended_ = false;
  bool reads_ = true;
};

TEST_F(RtmpForwardTest, BytesGoBothWaysUnchanged) {
  Upstream upstream;
  configure({&upstream});
  settle(upstream);
  EXPECT_EQ(received_, "");
  upstream.say("welcome");
  ASSERT_TRUE(turn_until([&] { return received_ == "welcome"; }, {&upstream}));
  send(" and so on");
  const std::string all = request_ + " and so on";
  EXPECT_TRUE(turn_until([&] { return upstream.request() == all; }, {&upstream}));
  EXPECT_GT(connection_->progress, 0);
}

TEST_F(RtmpForwardTest, WaitsForAllOfConnect) {
  Upstream upstream;
  configure({&upstream});
  EXPECT_EQ(give(request_.substr(0, 60)), Step::Next::kContinue);
  EXPECT_EQ(give("\x02"), Step::Next::kContinue);
  settle(upstream);
}

TEST_F(RtmpForwardTest, BytesThatAreNoConnectAreRejected) {
  std::string publish;
  append_publish(publish, 1, "s");
  EXPECT_EQ(give(publish), Step::Next::kReject);
}

TEST_F(RtmpForwardTest, TheNextIsTriedWhenOneRefusesToConnect) {
  Upstream dead;
  Upstream upstream;
  configure({&dead, &upstream});
  dead.stop_listening();
  settle(upstream);
}

TEST_F(RtmpForwardTest, TheNextIsTriedWhenOneEndsBeforeItAnswers) {
  Upstream first;
  Upstream second;
  configure({&first, &second});
  settle(first);
  first.hang_up();
  ASSERT_TRUE(turn_until([&] { return second.request() == request_; }, {&second}));
  second.say("welcome");
  EXPECT_TRUE(turn_until([&] { return received_ == "welcome"; }, {&second}));
  expect_failed_without_blame();  // it may be what this client sent
}

TEST_F(RtmpForwardTest, TheNextIsTriedWhenOneDoesNotAnswerTheHandshakeInTime) {
  Upstream silent;
  silent.ignore_handshakes();
  Upstream upstream;
  configure({&silent, &upstream}, UpstreamPrefix::kNone, Duration{50});
  ASSERT_EQ(give(request_), Step::Next::kDetach);
  EXPECT_TRUE(turn_until([&] { return upstream.request() == request_; }, {&silent, &upstream}));
  EXPECT_EQ(silent.accepted(), 1);
}

TEST_F(RtmpForwardTest, AServerThatSpeaksSomethingElseIsNotWaitedFor) {
  Upstream other;
  other.ignore_handshakes();
  configure({&other});
  ASSERT_EQ(give(request_), Step::Next::kDetach);
  ASSERT_TRUE(turn_until([&] { return other.has_client(); }, {&other}));
  other.say("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_TRUE(turn_until([&] { return peer_ended_; }, {&other}));
  EXPECT_EQ(rejection_in(received_), "No upstream server of vhost a.test answers");
}

TEST_F(RtmpForwardTest, NobodyAnswers) {
  Upstream dead;
  Upstream other;
  configure({&dead, &other});
  dead.stop_listening();
  other.stop_listening();
  ASSERT_EQ(give(request_), Step::Next::kDetach);
  ASSERT_TRUE(turn_until([&] { return peer_ended_; }, {}));
  EXPECT_TRUE(connection_->finished);
  EXPECT_EQ(rejection_in(received_), "No upstream server of vhost a.test answers");
  EXPECT_EQ(test::answered<UpstreamEntry>(environment_).totals.unserved, 1U);
}

TEST_F(RtmpForwardTest, WithoutAnUpstreamConfiguredItSaysSo) {
  EXPECT_EQ(give(request_), Step::Next::kClose);
  EXPECT_EQ(rejection_in(out_), "Vhost a.test has no upstream server configured");
}

TEST_F(RtmpForwardTest, AnUpstreamMayHaveAName) {
  Upstream upstream;
  configure_as({{upstream.address_as("localhost")}});
  settle(upstream);
}

TEST_F(RtmpForwardTest, TheAddressesOfANameAreTriedInTurn) {
  Upstream upstream;
  configure_as({{upstream.address_as("origin.test")}});
  names().look_up_by([](const std::string&) -> NameResolver::Looked {
    return {{parse_endpoint("[::1]:0").value(), parse_endpoint("127.0.0.1:0").value()}, {}};
  });
  settle(upstream);
}

TEST_F(RtmpForwardTest, TheNextIsTriedWhenANameCannotBeLookedUpAndTheOperatorSeesWhy) {
  Upstream upstream;
  configure_as({{"origin.test:1935"}, {upstream.address(), true}});
  names().look_up_by([](const std::string&) -> NameResolver::Looked {
    return {{}, {"no such name", NameCache::Cause::kFinal}};
  });
  settle(upstream);
  EXPECT_EQ(first_upstream().why, "cannot look up origin.test: no such name");
}

TEST_F(RtmpForwardTest, AnUpstreamIsNotBlamedForWhatIsMissingHere) {
  Upstream upstream;
  configure_as({{"origin.test:1935"}, {upstream.address(), true}});
  names().look_up_by([](const std::string&) -> NameResolver::Looked {
    return {{}, {"no thread", NameCache::Cause::kOurs}};
  });
  settle(upstream);
  expect_failed_without_blame();
}

TEST_F(RtmpForwardTest, ALookUpMayTakeAsLongAsAnUpstreamMayBeforeTheNextIsTried) {
  Upstream upstream;
  configure_as({{"origin.test:1935"}, {upstream.address(), true}}, Duration{300});
  std::promise<void> open;
  names().look_up_by(
      [opened = open.get_future().share()](const std::string&) -> NameResolver::Looked {
        opened.wait();
        return {};
      });
  settle(upstream);
  open.set_value();
}

TEST_F(RtmpForwardTest, TheUpstreamIsToldTheAddressByProxyV1) {
  const std::string server = local_endpoint(ours_.get()).value().to_string();
  const std::string prefix = make_proxy_v1("192.0.2.7:4321", server);
  Upstream upstream(prefix);
  configure({&upstream}, UpstreamPrefix::kProxyV1);
  ASSERT_TRUE(forward_.import_state(client_, "A192.0.2.7:4321"));
  settle(upstream);
  EXPECT_EQ(upstream.prefix(), prefix);
}

TEST_F(RtmpForwardTest, WithoutAPrefixOfItsOwnTheClientsAddressIsItsPeers) {
  const std::string server = local_endpoint(ours_.get()).value().to_string();
  const std::string prefix = make_proxy_v2(local_endpoint(peer_.get()).value().to_string(), server);
  Upstream upstream(prefix);
  configure({&upstream}, UpstreamPrefix::kProxyV2);
  settle(upstream);
  EXPECT_EQ(upstream.prefix(), prefix);
}

TEST_F(RtmpForwardTest, TheUpstreamIsToldTheAddressAsSrsExpectsIt) {
  const std::string prefix = make_srs_real_ip("192.0.2.7:4321");
  Upstream upstream(prefix);
  configure({&upstream}, UpstreamPrefix::kSrsRealIp);
  ASSERT_TRUE(forward_.import_state(client_, "A192.0.2.7:4321"));
  settle(upstream);
  EXPECT_EQ(upstream.prefix(), prefix);
}

TEST_F(RtmpForwardTest, StateOfAnotherHandlerIsNotUnderstood) {
  EXPECT_FALSE(forward_.import_state(client_, "R1"));
}

TEST_F(RtmpForwardTest, TheUpstreamsEndComesBehindItsLastByte) {
  Upstream upstream;
  configure({&upstream});
  settle(upstream);
  upstream.say("welcome, and good bye");
  upstream.hang_up();
  upstream.stop_listening();
  ASSERT_TRUE(turn_until([&] { return peer_ended_; }, {}));
  EXPECT_EQ(received_, "welcome, and good bye");
  EXPECT_TRUE(connection_->finished);
}

TEST_F(RtmpForwardTest, TheClientsEndComesBehindItsLastByte) {
  Upstream upstream;
  configure({&upstream});
  settle(upstream);
  upstream.say("welcome");
  ASSERT_TRUE(turn_until([&] { return received_ == "welcome"; }, {&upstream}));
  send("the last words");
  ::shutdown(peer_.get(), SHUT_WR);
  ASSERT_TRUE(turn_until([&] { return upstream.saw_end(); }, {&upstream}));
  EXPECT_EQ(upstream.request(), request_ + "the last words");
}

TEST_F(RtmpForwardTest, AClientThatOnlyEndsItsSendingStillGetsItsAnswer) {
  Upstream upstream;
  configure({&upstream});
  ASSERT_EQ(give(request_), Step::Next::kDetach);
  send("all at once");
  ::shutdown(peer_.get(), SHUT_WR);
  ASSERT_TRUE(turn_until([&] { return upstream.saw_end(); }, {&upstream}));
  EXPECT_EQ(upstream.request(), request_ + "all at once");
  upstream.say("welcome");
  upstream.hang_up();
  ASSERT_TRUE(turn_until([&] { return peer_ended_; }, {}));
  EXPECT_EQ(received_, "welcome");
}

TEST_F(RtmpForwardTest, AClientThatResetsEndsItsUpstream) {
  Upstream upstream;
  configure({&upstream});
  settle(upstream);
  upstream.say("welcome");
  ASSERT_TRUE(turn_until([&] { return received_ == "welcome"; }, {&upstream}));
  const linger reset{1, 0};
  ::setsockopt(peer_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  reads_ = false;
  peer_.reset();
  EXPECT_TRUE(turn_until([&] { return connection_->finished; }, {&upstream}));
  EXPECT_TRUE(turn_until([&] { return upstream.saw_end(); }, {&upstream}));
}

TEST_F(RtmpForwardTest, AClientThatDoesNotReadHoldsItsUpstreamAndLosesNothing) {
  Upstream upstream;
  configure({&upstream});
  settle(upstream);
  const std::string said = fill_up(upstream);
  EXPECT_TRUE(connection_->unread);
  reads_ = true;
  EXPECT_TRUE(turn_until([&] { return received_.size() == said.size(); }, {&upstream}));
  EXPECT_EQ(received_, said);
  EXPECT_FALSE(connection_->unread);
}

TEST_F(RtmpForwardTest, ABlockedClientDoesNotKeepTheLoopAwake) {
  Upstream upstream;
  configure({&upstream});
  settle(upstream);
  const std::string said = fill_up(upstream);
  // The upstream ends as well: nothing can be done about it until the client reads.
  upstream.hang_up();
  loop_.turn(Duration{1});
  loop_.turn(Duration{1});
  const auto begin = Clock::now();
  loop_.turn(Duration{30});
  EXPECT_GE(Clock::now() - begin, Duration{25}) << "an event that cannot be dealt with";
  EXPECT_FALSE(connection_->finished);
  reads_ = true;
  EXPECT_TRUE(turn_until([&] { return peer_ended_; }, {}));
  EXPECT_EQ(received_, said);
}

TEST_F(RtmpForwardTest, WithoutADescriptorForTheUpstreamTheClientIsToldSo) {
  Upstream upstream;
  configure({&upstream});
  ASSERT_EQ(give(request_), Step::Next::kDetach);
  {
    const test::NoMoreDescriptors none;
    ASSERT_TRUE(turn_until([&] { return peer_ended_; }, {}));
  }
  EXPECT_EQ(rejection_in(received_), "Out of descriptors");
  EXPECT_EQ(first_upstream().counters.failed, 0U) << "that was not its fault";
}

TEST_F(RtmpForwardTest, WithoutADescriptorForThePipeTheClientIsClosed) {
  Upstream upstream;
  configure({&upstream});
  settle(upstream);
  const test::NoMoreDescriptors none;
  upstream.say("welcome");
  EXPECT_TRUE(turn_until([&] { return peer_ended_; }, {&upstream}));
  EXPECT_TRUE(connection_->finished);
}

TEST_F(RtmpForwardTest, AnIdleClientCostsTheUpstreamsDescriptorAndNoOther) {
  Upstream upstream;
  configure({&upstream});
  const std::size_t before = test::open_descriptors();
  settle(upstream);
  upstream.say("welcome");
  ASSERT_TRUE(turn_until([&] { return received_ == "welcome"; }, {&upstream}));
  // Its own end, the upstream's, which is ours as well here, and the one pipe that all share.
  EXPECT_LE(test::open_descriptors(), before + 2 + 2);
  forward_.on_close(client_);
  client_.state.reset();
  EXPECT_LE(test::open_descriptors(), before + 1) << "the last client's end closes the pipes";
}

}  // namespace
}  // namespace mpb::rtmp
