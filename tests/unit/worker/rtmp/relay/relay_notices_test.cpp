// What the relay tells the operator of its clients: who publishes, and who was refused what and
// why.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/access/access.hpp"

namespace mpb::rtmp {
namespace {

class RelayNotices : public ::testing::Test, public RelayFixture {
 protected:
  RelayNotices() {
    environment.notices.set_sink([this](const Notice& notice) {
      told.push_back(line_of(notice));
      return true;
    });
  }
  static std::string line_of(const Notice& notice) {
    std::string line(to_string(notice.kind));
    for_each_text(notice, [&line](std::string_view name, std::string_view text) {
      line.append(" ").append(name).append("=").append(text);
    });
    return line;
  }
  void configure(VhostSettings vhost) {
    vhost.name = "a.test";
    environment.vhosts.replace({std::move(vhost)});
  }
  std::string last() { return told.empty() ? std::string() : told.back(); }
  std::uint64_t count(Reason reason) {
    return environment.notices.refused()[static_cast<std::size_t>(reason)];
  }
  /// A client that wants to publish, and what is told then.
  std::string publish(std::string_view name) {
    peers.push_back(peer());
    peers.back()->enter();
    peers.back()->publish(name);
    return last();
  }
  std::string play(std::string_view name) {
    peers.push_back(peer());
    peers.back()->enter();
    peers.back()->play(name);
    return last();
  }

  std::vector<std::string> told;
  std::vector<std::unique_ptr<RelayPeer>> peers;
};

TEST_F(RelayNotices, WhoPublishesAndWhoEnds) {
  const auto source = publisher();
  EXPECT_EQ(last(), "publish vhost=a.test app=live stream=s");
  source->command("closeStream", 1);
  EXPECT_EQ(last(), "unpublish reason=ended vhost=a.test app=live stream=s");
  EXPECT_EQ(told.size(), 2U);
}

TEST_F(RelayNotices, APublisherThatIsKicked) {
  const auto source = publisher();
  EXPECT_EQ(hub().kick("a.test/live/s"), 1U);
  turn();
  EXPECT_EQ(last(), "unpublish reason=kicked vhost=a.test app=live stream=s");
}

TEST_F(RelayNotices, PlayersAreNotToldOf) {
  const auto sink = player();
  sink->command("closeStream", 1);
  EXPECT_TRUE(told.empty());
}

TEST_F(RelayNotices, AKeyIsNotAmongWhatIsTold) {
  VhostSettings vhost;
  vhost.publish.key = "sesame";
  vhost.play.key = "ali";
  configure(vhost);
  EXPECT_EQ(publish("s?key=wrong"),
            "refused reason=key action=publish vhost=a.test app=live stream=s");
  EXPECT_EQ(play("t"), "refused reason=key action=play vhost=a.test app=live stream=t");
  EXPECT_EQ(publish("s?key=sesame"), "publish vhost=a.test app=live stream=s");
  EXPECT_EQ(count(Reason::kKey), 2U);
}

TEST_F(RelayNotices, Tokens) {
  VhostSettings vhost;
  vhost.publish.secret = "hush";
  configure(vhost);
  const auto query = [](std::string_view expires, std::string_view stream) {
    return "s?expires=" + std::string(expires) +
           "&token=" + make_token("hush", Right::kPublish, "a.test", "live", stream, expires);
  };
  EXPECT_EQ(publish("s"),
            "refused reason=token-missing action=publish vhost=a.test app=live stream=s");
  EXPECT_EQ(publish(query("1", "s")),
            "refused reason=token-expired action=publish vhost=a.test app=live stream=s");
  EXPECT_EQ(publish(query("9999999999", "t")),
            "refused reason=token-wrong action=publish vhost=a.test app=live stream=s");
}

TEST_F(RelayNotices, LimitsAndNames) {
  VhostSettings vhost;
  vhost.max_players = 1;
  vhost.max_publishers = 1;
  configure(vhost);
  publish("s");
  EXPECT_EQ(publish("s"), "refused reason=taken action=publish vhost=a.test app=live stream=s");
  EXPECT_EQ(publish("t"),
            "refused reason=max-publishers action=publish vhost=a.test app=live stream=t");
  play("s");
  EXPECT_EQ(play("s"), "refused reason=max-players action=play vhost=a.test app=live stream=s");
  EXPECT_EQ(play("s?vhost=b.test"),
            "refused reason=vhost action=play vhost=b.test app=live stream=s");
  EXPECT_EQ(play("s?vhost=no such/name"), "refused reason=name action=play vhost=a.test app=live");
}

TEST_F(RelayNotices, AFloodIsCountedAndHardlyTold) {
  VhostSettings vhost;
  vhost.publish.key = "sesame";
  configure(vhost);
  for (int i = 0; i < 100; ++i) publish("s");
  EXPECT_EQ(count(Reason::kKey), 100U);
  EXPECT_LT(told.size(), 100U);
  EXPECT_GE(told.size(), 10U);
}

TEST_F(RelayNotices, ALongNameIsToldInPart) {
  const std::string name(1000, 'n');
  Notice notice;
  notice.reason = Reason::kName;
  notice.stream = name;
  environment.tell(notice);
  EXPECT_EQ(last(), "refused reason=name stream=" + name.substr(0, 255));
}

}  // namespace
}  // namespace mpb::rtmp
