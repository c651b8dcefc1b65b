#include "common/io/endpoint.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace mpb {
namespace {

TEST(Endpoint, IsWrittenAsItIsRead) {
  for (const char* text :
       {"127.0.0.1:1990", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:1990", "[::]:0",
        "[2001:db8::7]:80", "unix:/run/mp.sock", "unix:mp.sock", "unix:@mp", "unix:./@mp"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->to_string(), text);
  }
}

TEST(Endpoint, KnowsShortForms) {
  EXPECT_EQ(parse_endpoint(":1990").value().to_string(), "0.0.0.0:1990");
  EXPECT_EQ(parse_endpoint("*:1990").value().to_string(), "0.0.0.0:1990");
  EXPECT_EQ(parse_endpoint("/run/mp.sock").value().to_string(), "unix:/run/mp.sock");
  EXPECT_EQ(parse_endpoint("./mp.sock").value().to_string(), "unix:./mp.sock");
  EXPECT_EQ(parse_endpoint("[0:0:0:0:0:0:0:1]:5").value().to_string(), "[::1]:5");
}

TEST(Endpoint, RefusesWhatIsNone) {
  for (const char* text : {"",
                           ":",
                           "1990",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1:x",
                           "127.0.0.1:80 ",
                           "127.0.0.256:80",
                           "127.1:80",
                           "localhost:80",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[]:80",
                           "[127.0.0.1]:80",
                           "[::1:80",
                           "[fe80::1%lo]:80",
                           "unix:",
                           "unix:@",
                           "mp.sock"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_FALSE(endpoint) << text;
    EXPECT_EQ(endpoint.error().kind, ErrorKind::kUsage);
    EXPECT_NE(endpoint.error().text.find(text), std::string::npos);
  }
}

TEST(Endpoint, UnixPathHasABound) {
  EXPECT_TRUE(parse_endpoint("unix:" + std::string(107, 'p')));
  EXPECT_FALSE(parse_endpoint("unix:" + std::string(108, 'p')));
  EXPECT_FALSE(parse_endpoint("/" + std::string(107, 'p')));
}

TEST(Endpoint, KnowsItsParts) {
  EXPECT_EQ(parse_endpoint("[::1]:1990").value().port(), 1990);
  EXPECT_EQ(parse_endpoint("unix:/x").value().port(), 0);
  EXPECT_EQ(parse_endpoint("unix:/x").value().path(), "/x");
  EXPECT_EQ(parse_endpoint("unix:@x").value().path(), "") << "an abstract name is no file";
  EXPECT_EQ(parse_endpoint("127.0.0.1:1").value().path(), "");
  for (const char* text : {":1", "[::]:1"}) {
    EXPECT_TRUE(parse_endpoint(text).value().is_wildcard()) << text;
  }
  for (const char* text : {"127.0.0.1:1", "[::1]:1", "unix:/x"}) {
    EXPECT_FALSE(parse_endpoint(text).value().is_wildcard()) << text;
  }
  EXPECT_TRUE(parse_endpoint(":1").value() == parse_endpoint("0.0.0.0:1").value());
  EXPECT_FALSE(parse_endpoint(":1").value() == parse_endpoint("[::]:1").value());
}

TEST(Endpoint, FamiliesAreTheKernels) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:1").value().family(), AF_INET);
  EXPECT_EQ(parse_endpoint("[::1]:1").value().family(), AF_INET6);
  EXPECT_EQ(parse_endpoint("/x").value().family(), AF_UNIX);
}

TEST(Listening, ToldThePortTheKernelChose) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    const auto socket = listen_on(parse_endpoint(text).value(), 16);
    if (!socket && socket.error().code == EADDRNOTAVAIL) continue;  // a machine without IPv6
    ASSERT_TRUE(socket) << socket.error().text;
    const std::string bound = local_endpoint(socket->get()).value().to_string();
    EXPECT_FALSE(bound.ends_with(":0")) << bound;
    const auto again = listen_on(parse_endpoint(bound).value(), 16);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, EADDRINUSE);
    EXPECT_NE(again.error().text.find(bound), std::string::npos);
  }
}

TEST(Listening, SocketsAreCloseOnExecAndNonBlocking) {
  const auto socket = listen_on(parse_endpoint("127.0.0.1:0").value(), 16);
  ASSERT_TRUE(socket);
  EXPECT_TRUE(::fcntl(socket->get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(socket->get(), F_GETFL) & O_NONBLOCK);
}

class UnixListening : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "mpb-endpoint-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    endpoint_ = parse_endpoint("unix:" + path()).value();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::string path() const { return (directory_ / "s").string(); }

  std::filesystem::path directory_;
  Endpoint endpoint_;
};

TEST_F(UnixListening, SetsTheMode) {
  for (const unsigned mode : {0600U, 0666U, 0640U}) {
    const auto socket = listen_on(endpoint_, 16, mode);
    ASSERT_TRUE(socket) << socket.error().text;
    struct stat status {};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, mode);
    std::filesystem::remove(path());
  }
}

TEST_F(UnixListening, ReplacesWhatADeadServerLeft) {
  { ASSERT_TRUE(listen_on(endpoint_, 16)); }
  ASSERT_TRUE(std::filesystem::exists(path()));
  EXPECT_TRUE(listen_on(endpoint_, 16));
}

TEST_F(UnixListening, LeavesALiveServerAlone) {
  const auto first = listen_on(endpoint_, 16);
  ASSERT_TRUE(first);
  const auto second = listen_on(endpoint_, 16);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client.get(), endpoint_.data(), endpoint_.length), 0);
}

TEST_F(UnixListening, LeavesAnotherFileAlone) {
  { const UniqueFd file(::open(path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); }
  EXPECT_FALSE(listen_on(endpoint_, 16));
  EXPECT_TRUE(std::filesystem::is_regular_file(path()));
}

}  // namespace
}  // namespace mpb
