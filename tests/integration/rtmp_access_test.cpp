// Who may publish and play, asked of a real relay: keys, addresses, tokens, limits and web hooks,
// and what changes them while clients are there.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"
#include "tests/support/http_server.hpp"

namespace mpb::test {
namespace {

namespace json = boost::json;

using Names = std::vector<std::string>;

constexpr const char* kPublished = "NetStream.Publish.Start";
constexpr const char* kNotPublished = "NetStream.Publish.Denied";
constexpr const char* kPlays = "NetStream.Play.Start";
constexpr const char* kDoesNotPlay = "NetStream.Play.Failed";

/// The token that `openssl dgst -sha256 -hmac` makes, as docs/operations.md says.
std::string query_with_token(std::string_view secret, const std::string& what,
                             std::time_t expires) {
  const std::string text = what + ":" + std::to_string(expires);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  ::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  std::string token;
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    token += kDigits[digest[i] >> 4U];
    token += kDigits[digest[i] & 15U];
  }
  return "?expires=" + std::to_string(expires) + "&token=" + token;
}

class RtmpAccess : public testing::Test {
 protected:
  /// Two workers that relay; a.test as the lines of its section say.
  void start(const std::string& section) {
    BrokerSetup setup;
    setup.config = config(section);
    broker = std::make_unique<BrokerProcess>(setup);
  }
  void reload(const std::string& section) {
    std::string text = config(section);
    text.replace(text.find("PORT"), 4, std::to_string(broker->port()));
    broker->write_config(text);
    const json::object answer = broker->request({{"command", "reload"}});
    ASSERT_TRUE(answer.at("ok").as_bool()) << json::serialize(answer);
  }
  void set(const Names& assignments) {
    Names arguments{"--control-socket", broker->control_path(), "vhost", "a.test"};
    arguments.insert(arguments.end(), assignments.begin(), assignments.end());
    const Outcome outcome = run("mpctl", arguments);
    ASSERT_EQ(outcome.exit, "exit 0") << outcome.err;
  }
  [[nodiscard]] std::string url(const std::string& stream) const {
    return "rtmp://127.0.0.1:" + std::to_string(broker->port()) + "/live?vhost=a.test/" + stream;
  }
  /// The code that a client is told who publishes or plays; empty: connect is refused. It stays
  /// until the test's end.
  std::string attempt(std::string_view command, const std::string& stream) {
    auto& peer = peers.emplace_back(std::make_unique<RtmpPeer>(broker->port()));
    if (!peer->enter_stream("a.test")) return {};
    std::string bytes;
    command == "publish" ? rtmp::append_publish(bytes, 1, stream)
                         : rtmp::append_play(bytes, 1, stream);
    peer->send(bytes);
    std::string code = peer->status();
    return code == "NetStream.Play.Reset" ? peer->status() : code;
  }
  std::string publish(const std::string& stream) { return attempt("publish", stream); }
  std::string play(const std::string& stream) { return attempt("play", stream); }
  void leave_all() { peers.clear(); }

  static std::string config(const std::string& section) {
    return "workers = 2\n"
           "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n"
           "[vhost a.test]\n" +
           section;
  }

  TempFolder folder;
  std::unique_ptr<BrokerProcess> broker;
  std::vector<std::unique_ptr<RtmpPeer>> peers;  // end before the broker
};

TEST_F(RtmpAccess, OnlyTheRightKeyPublishes) {
  start("publish-key = sesame\n");
  const std::string clip = make_clip(folder, Tint::kGreen);
  for (const char* stream : {"s", "s?key=", "s?key=sesam", "s?key=sesame2", "s?x=sesame"}) {
    EXPECT_EQ(publish(stream), kNotPublished) << stream;
  }
  Publisher wrong(folder, url("s?key=wrong"), clip);
  const std::string exit = wrong.process().wait_exit(kPatience);
  EXPECT_NE(exit, "running");
  EXPECT_NE(exit, "exit 0");
  const Publisher right(folder, url("s?key=sesame"), clip);
  for (const auto program : {Recorder::Program::kFfmpeg, Recorder::Program::kRtmpdump}) {
    Recorder player(folder, url("s"), 1, program);
    ASSERT_TRUE(player.finished()) << player.log();
    EXPECT_TRUE(begins_with(folder, player.file(), Tint::kGreen));
  }
}

TEST_F(RtmpAccess, ADeniedAddressMayNotPlayAndPublishesAll) {
  start("play-deny = 127.0.0.1\n");
  const std::string clip = make_clip(folder, Tint::kRed);
  Publisher publisher(folder, url("s"), clip);
  EXPECT_TRUE(broker->await_held(1));
  EXPECT_EQ(play("s"), kDoesNotPlay);
  for (const auto program : {Recorder::Program::kFfmpeg, Recorder::Program::kRtmpdump}) {
    Recorder player(folder, url("s"), 1, program);
    EXPECT_NE(player.process().wait_exit(kPatience), "running");
    EXPECT_FALSE(player.has(1'000)) << "no media";
  }
  EXPECT_TRUE(publisher.process().running()) << publisher.log();
  EXPECT_EQ(publish("t"), kPublished);
}

TEST_F(RtmpAccess, ATokenIsGoodForItsStreamUntilItExpires) {
  start("publish-secret = hush\n");
  const std::time_t now = std::time(nullptr);
  const std::string good = query_with_token("hush", "publish:a.test/live/s", now + 3600);
  EXPECT_EQ(publish("s" + query_with_token("hush", "publish:a.test/live/s", now - 60)),
            kNotPublished);
  EXPECT_EQ(publish("s" + query_with_token("loud", "publish:a.test/live/s", now + 3600)),
            kNotPublished);
  EXPECT_EQ(publish("s" + query_with_token("hush", "play:a.test/live/s", now + 3600)),
            kNotPublished);
  EXPECT_EQ(publish("t" + good), kNotPublished);
  EXPECT_EQ(publish("s"), kNotPublished);
  const std::string clip = make_clip(folder, Tint::kBlue);
  const Publisher publisher(folder, url("s" + good), clip);
  Recorder player(folder, url("s"), 1);
  ASSERT_TRUE(player.finished()) << player.log();
  EXPECT_EQ(difference(folder, clip, player.file()), "");
}

TEST_F(RtmpAccess, AKeyMayBeACredentialOfSystemd) {
  folder.write("live-key", "sesame\n");
  BrokerSetup setup;
  setup.config = config("publish-key = credential:live-key\n");
  setup.environment = {"CREDENTIALS_DIRECTORY=" + folder.file("")};
  broker = std::make_unique<BrokerProcess>(setup);
  EXPECT_EQ(publish("s?key=credential:live-key"), kNotPublished);
  EXPECT_EQ(publish("s?key=sesame"), kPublished);
  folder.write("live-key", "other\n");
  reload("publish-key = credential:live-key\n");
  ASSERT_TRUE(eventually([&] { return publish("t?key=other") == kPublished; }));
  EXPECT_EQ(broker->log().find("sesame"), std::string::npos);
}

TEST_F(RtmpAccess, PlayersBeyondTheLimitAreRefusedUntilOneLeaves) {
  start("max-players = 2\n");
  EXPECT_EQ(play("s"), kPlays);
  EXPECT_EQ(play("t"), kPlays);
  EXPECT_EQ(play("s"), kDoesNotPlay);
  EXPECT_EQ(publish("s"), kPublished);
  leave_all();
  ASSERT_TRUE(broker->await_held(0));
  EXPECT_EQ(play("s"), kPlays);
}

TEST_F(RtmpAccess, ChangesHoldForNewClientsAndThoseThatAreThereNoticeNothing) {
  start("");
  const std::string clip = make_clip(folder, Tint::kGreen);
  Publisher publisher(folder, url("s"), clip);
  Recorder player(folder, url("s"), 6);
  ASSERT_TRUE(eventually([&] { return player.has(20'000); }));
  set({"publish-key=sesame", "play-deny=127.0.0.1"});
  // The workers are told at once, and in turn with what else they are sent.
  ASSERT_TRUE(eventually([&] { return publish("t") == kNotPublished; }));
  EXPECT_EQ(publish("t?key=sesame"), kPublished);
  EXPECT_EQ(play("s"), kDoesNotPlay);
  reload("play-key = open\n");
  ASSERT_TRUE(eventually([&] { return publish("u") == kPublished; }));
  EXPECT_EQ(play("s"), kDoesNotPlay);
  EXPECT_EQ(play("s?key=open"), kPlays);
  ASSERT_TRUE(player.finished()) << player.log();
  EXPECT_EQ(difference(folder, clip, player.file()), "");
  EXPECT_TRUE(publisher.process().running()) << publisher.log();
}

// --- web hooks -----------------------------------------------------------------------------------

class RtmpHooks : public RtmpAccess {
 protected:
  void start(const std::string& section) {
    RtmpAccess::start(section);
    broker
        ->forget_rest();  // Asio's context stays once a hook was asked, with descriptors of its own
  }
  [[nodiscard]] std::string all_hooks() const {
    std::string section;
    for (const char* action : {"connect", "publish", "play", "unpublish", "stop"}) {
      section += std::string("on-") + action + " = " + server->url() + "\n";
    }
    return section;
  }
  [[nodiscard]] json::object totals() const {
    const json::object report = broker->request({{"command", "hooks"}});
    json::object sum{{"asked", 0}, {"told", 0}, {"refused", 0}, {"failed", 0}, {"under_way", 0}};
    for (const json::value& worker : report.at("hooks").as_array()) {
      for (auto& [name, number] : sum) {
        number = number.as_int64() + worker.at(name).as_int64();
      }
    }
    return sum;
  }
  /// The documents of an action, so far.
  [[nodiscard]] std::vector<json::object> told(std::string_view action) const {
    std::vector<json::object> found;
    for (const HttpRequest& request : server->requests()) {
      json::object document = json::parse(request.body).as_object();
      if (document.at("action").as_string() == action) found.push_back(std::move(document));
    }
    return found;
  }

  std::string refused_action;  // set before the first client comes
  std::atomic<unsigned> status{200};
  std::unique_ptr<HttpServer> server =
      std::make_unique<HttpServer>([this](const HttpRequest& request) {
        const bool refuses =
            !refused_action.empty() && request.body.find(refused_action) != std::string::npos;
        return http_answer(status, refuses ? R"({"code":1})" : R"({"code":0})");
      });
};

TEST_F(RtmpHooks, AreAskedAndToldOfAllThatClientsDo) {
  start(all_hooks());
  const std::string clip = make_clip(folder, Tint::kRed);
  {
    const Publisher publisher(folder, url("s?user=me"), clip);
    Recorder player(folder, url("s"), 1);
    ASSERT_TRUE(player.finished()) << player.log();
    EXPECT_EQ(difference(folder, clip, player.file()), "");
    ASSERT_TRUE(eventually([&] { return told("on_stop").size() == 1; }));
  }
  ASSERT_TRUE(eventually([&] { return told("on_unpublish").size() == 1; }));
  EXPECT_EQ(told("on_connect").size(), 2U);
  ASSERT_EQ(told("on_publish").size(), 1U);
  ASSERT_EQ(told("on_play").size(), 1U);
  const json::object published = told("on_publish").front();
  EXPECT_EQ(published.at("vhost").as_string(), "a.test");
  EXPECT_EQ(published.at("app").as_string(), "live");
  EXPECT_EQ(published.at("stream").as_string(), "s");
  EXPECT_EQ(published.at("ip").as_string(), "127.0.0.1");
  EXPECT_NE(published.at("param").as_string().find("user=me"), json::string::npos);
  EXPECT_EQ(told("on_unpublish").front().at("client_id"), published.at("client_id"));
  EXPECT_EQ(told("on_stop").front().at("client_id"), told("on_play").front().at("client_id"));
  ASSERT_TRUE(eventually([&] { return totals().at("under_way") == 0; }));
  EXPECT_EQ(
      totals(),
      (json::object{{"asked", 4}, {"told", 2}, {"refused", 0}, {"failed", 0}, {"under_way", 0}}));
  const Outcome table = run("mpctl", {"--control-socket", broker->control_path(), "hooks"});
  EXPECT_EQ(table.exit, "exit 0") << table.err;
  EXPECT_NE(table.out.find("REFUSED"), std::string::npos) << table.out;
}

TEST_F(RtmpHooks, ARefusedConnectIsRejected) {
  refused_action = "on_connect";
  start(all_hooks());
  RtmpPeer peer(broker->port());
  EXPECT_FALSE(peer.enter("a.test"));
  EXPECT_TRUE(peer.sees_end());
  EXPECT_EQ(totals().at("refused"), 1);
}

TEST_F(RtmpHooks, WhoMayNotPublishMayPlay) {
  refused_action = "on_publish";
  start(all_hooks() + "hook-failure = open\n");
  EXPECT_EQ(publish("s"), kNotPublished);
  EXPECT_EQ(play("s"), kPlays);
  const std::string clip = make_clip(folder, Tint::kRed);
  Publisher publisher(folder, url("s"), clip);
  const std::string exit = publisher.process().wait_exit(kPatience);
  EXPECT_NE(exit, "running");
  EXPECT_NE(exit, "exit 0");
  EXPECT_EQ(told("on_unpublish").size(), 0U);
}

TEST_F(RtmpHooks, WhoMayNotPlayMayPublish) {
  refused_action = "on_play";
  start(all_hooks());
  EXPECT_EQ(publish("s"), kPublished);
  EXPECT_EQ(play("s"), kDoesNotPlay);
  leave_all();
  ASSERT_TRUE(eventually([&] { return told("on_unpublish").size() == 1; }));
  EXPECT_EQ(told("on_stop").size(), 0U);
}

TEST_F(RtmpHooks, WithoutAWebServerTheSettingDecides) {
  const std::string section = all_hooks();
  server.reset();
  start(section);
  EXPECT_EQ(publish("s"), "") << "connect is refused";
  set({"hook-failure=open"});
  ASSERT_TRUE(eventually([&] { return publish("s") == kPublished; }));
  EXPECT_EQ(play("s"), kPlays);
  EXPECT_GE(totals().at("failed").as_int64(), 5);
}

TEST_F(RtmpHooks, AWebServerInTroubleIsAFailureAndNoRefusal) {
  start(all_hooks());
  EXPECT_EQ(publish("s"), kPublished);
  status = 500;
  EXPECT_EQ(play("s"), "");
  set({"hook-failure=open"});
  ASSERT_TRUE(eventually([&] { return play("s") == kPlays; }));
  status = 200;
  EXPECT_EQ(play("s"), kPlays);
  EXPECT_EQ(totals().at("refused"), 0);
}

TEST_F(RtmpHooks, WhoLeavesWhileTheHookIsAskedFreesItsPlace) {
  std::promise<void> open;
  HttpServer held([opened = open.get_future().share()](const HttpRequest&) {
    opened.wait();
    return http_answer(200, "1");
  });
  start("on-publish = " + held.url() + "\nhook-failure = open\nhook-timeout = 5m\n");
  const auto count = [&](const char* what) {
    std::int64_t sum = 0;
    const json::object report = broker->request({{"command", "hooks"}});
    for (const json::value& entry : report.at("hooks").as_array()) {
      sum += entry.at(what).as_int64();
    }
    return sum;
  };
  constexpr int kUnderWay = 16;  // of one address
  constexpr int kWaiting = 5;
  for (int i = 0; i < kUnderWay + kWaiting; ++i) {
    auto& peer = peers.emplace_back(std::make_unique<RtmpPeer>(broker->port()));
    ASSERT_TRUE(peer->enter_stream("a.test"));
    std::string bytes;
    rtmp::append_publish(bytes, 1, "s" + std::to_string(i));
    peer->send(bytes);
  }
  ASSERT_TRUE(eventually([&] { return count("waiting") == kWaiting; }));
  EXPECT_EQ(count("under_way"), kUnderWay);
  leave_all();
  ASSERT_TRUE(eventually([&] { return count("waiting") == 0; }));
  EXPECT_EQ(count("under_way"), kUnderWay) << "the web server works on them";
  open.set_value();
  EXPECT_TRUE(eventually([&] { return count("under_way") == 0; }));
}

}  // namespace
}  // namespace mpb::test
