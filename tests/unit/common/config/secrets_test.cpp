// Secrets are in no message, however they were mistyped, and may be in files.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/config/option_table.hpp"
#include "common/config/options.hpp"
#include "common/config/secret_reference.hpp"
#include "common/config/vhost_text.hpp"
#include "common/config/vhost_values.hpp"
#include "mpctl/options.hpp"
#include "worker/link/notices.hpp"

namespace mpb {
namespace {

constexpr std::string_view kBefore =
    "workers = 1\n[listener r]\nlisten = 127.0.0.1:1935\nprotocol = rtmp\nhandler = relay\n"
    "[vhost a.test]\n";

/// All that is told of a file with these lines in its vhost.
std::string told_of(const std::string& lines) {
  std::vector<Warning> warnings;
  const auto settings = parse_config(std::string(kBefore) + lines, "mp.ini", &warnings);
  std::string text = settings ? "" : settings.error().text;
  for (const Warning& warning : warnings) text += warning.text();
  return text;
}

TEST(Secrets, AreInNoMessageAboutAFile) {
  for (const char* lines : {
           "publish-key = My&S3cretKey",
           "publish-key = \"S3cretKey",
           "publish-key = S3cretKey\"",
           "publish-key = \"S3cretKey\" # mine",
           "publish-key = S3cretKey # mine",
           "publish-key = 'S3cretKey'",
           "publish-key = S3cretKey\\",
           "publish-key = S3cretKey\npublish-key = S3cretKey",
           "publsh-key = S3cretKey",
           "publish-key S3cretKey",
           "publish-key: S3cretKey",
           "publish-key: S3cretKey=",
           "publish-keyS3cretKey = x",
           "publish-key-S3cretKey==",
           "S3cretKey",
           "S3cretKey==",
           "publish-key =\n  S3cretKey=",
           "[publish-key = S3cretKey]",
           "[vhost b.test publish-key=S3cretKey]",
           "[vhost publish-key=S3cretKey",
           "publish-secret = S3cretKey\x01",
           "publish-secret = S3cretKey\xff",
           "publish-secret = S3cretKey\nhandler = forward\nupstream = 192.0.2.1:1935",
           "on-publish = http://me:S3cretKey@127.0.0.1/",
           "on-publish = http://127.0.0.1:x/?token=S3cretKey",
           "on-publish = https://127.0.0.1/?token=S3cretKey",
           "on-publish = http://127.0.0.1/#S3cretKey",
           "on-publish = me:S3cretKey@127.0.0.1/",
           "upstream = rtmp://me:S3cretKey@192.0.2.1/app",
           "upstream = rtmp://192.0.2.1/app?key=S3cretKey",
           "upstream = 192.0.2.1:1935/app?key=S3cretKey",
       }) {
    const std::string told = told_of(lines);
    EXPECT_NE(told, "") << lines;
    EXPECT_EQ(told.find("S3cret"), std::string::npos) << told;
  }
}

TEST(Secrets, AreInNoMessageAboutACommandLine) {
  for (const std::vector<const char*>& words : std::vector<std::vector<const char*>>{
           {"--publish-kye=S3cretKey"},
           {"--publish-key=S3cretKey"},
           {"--publish-key", "S3cretKey"},
           {"-publish-key=S3cretKey"},
           {"-pS3cretKey"},
           {"--S3cretKey"},
           {"publish-key=S3cretKey"},
           {"--workers=2=S3cretKey?", "--publish-key=S3cretKey"}}) {
    std::vector<const char*> args{"mpbroker"};
    args.insert(args.end(), words.begin(), words.end());
    const auto options = parse_options(args, "mpbroker");
    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().text.find("S3cret"), std::string::npos) << options.error().text;
  }
}

TEST(Secrets, AreInNoMessageOfMpctl) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"vhost", "a.test", "--publish-key=S3cretKey"},
                                             {"vhost", "a.test", "-publish-key=S3cretKey"},
                                             {"vhost", "a.test", "publish-key", "S3cretKey"},
                                             {"vhost", "publish-key=S3cretKey"},
                                             {"vhost", "a.test", "publish-key=S3cretKey\xff"},
                                             {"publish-key=S3cretKey"},
                                             {"status", "publish-key=S3cretKey"}}) {
    const auto options = ctl::read_options(words, nullptr);
    ASSERT_FALSE(options) << words.front();
    EXPECT_EQ(options.error().text.find("S3cret"), std::string::npos) << options.error().text;
  }
}

TEST(Secrets, AreInNoMessageAboutAChange) {
  for (const std::string assignment :
       {"publish-key=My&S3cretKey", "publsh-key=S3cretKey", "S3cretKey=", "publish-keyS3cretKey=",
        "publish-key S3cretKey=x", "on-play=http://me:S3cretKey@h/", "S3cretKey"}) {
    VhostSettings vhost;
    const Status done = change_vhost(vhost, std::vector{assignment});
    ASSERT_FALSE(done) << assignment;
    EXPECT_EQ(done.error().text.find("S3cret"), std::string::npos) << done.error().text;
    const Status unset = unset_in_vhost(vhost, std::vector{assignment});
    ASSERT_FALSE(unset) << assignment;
    EXPECT_EQ(unset.error().text.find("S3cret"), std::string::npos) << unset.error().text;
  }
}

TEST(Secrets, AreInNoNotice) {
  for (const char* name : {"s&key=S3cret", "s;KEY=S3cret", "s%3Fkey=S3cret&x=y", "key=S3cret",
                           "s&expires=1&token=S3cret", "s&stream_key=S3cret", "s&Auth=S3cret"}) {
    Notices notices;
    std::string told;
    notices.set_sink([&](const Notice& notice) {
      for_each_text(notice, [&](std::string_view, std::string_view text) { told += text; });
      return true;
    });
    Notice notice;
    notice.reason = Reason::kKey;
    notice.address = "192.0.2.1:1";
    notice.app = notice.stream = name;
    notices.tell(notice, {}, -1, TimePoint{} + std::chrono::hours(1));
    EXPECT_NE(told, "") << name;
    EXPECT_EQ(told.find("S3cret"), std::string::npos) << told;
  }
}

TEST(Secrets, AMistypedKeyIsNamed) {
  EXPECT_EQ(shown_key("publsh-key"), "publsh-key");
  EXPECT_EQ(shown_key("publish-keysesame"), "publish-key...");
  EXPECT_EQ(shown_key("Sesame"), "...");
  EXPECT_EQ(shown_key("0pen"), "...");
  EXPECT_EQ(shown_option("--publish-kye=x"), "--publish-kye");
  EXPECT_EQ(shown_option("-x"), "-x");
  EXPECT_EQ(shown_option("-xy"), "-x...");
}

// --- in files ------------------------------------------------------------------------------------

class SecretFiles : public testing::Test {
 protected:
  SecretFiles() {
    std::string pattern = std::filesystem::temp_directory_path() / "mpb-secret-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    ::setenv("CREDENTIALS_DIRECTORY", folder.c_str(), 1);
  }
  ~SecretFiles() override {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    std::filesystem::remove_all(folder);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << text;
  }
  static std::string error_of(const std::string& value) {
    const auto secret = read_secret_reference(value, kMaxSecret);
    return secret ? "no error" : secret.error().text;
  }
  std::filesystem::path folder;
};

TEST_F(SecretFiles, AValueMayNameACredentialOrAFile) {
  write("key", "sesame\n");
  write("other", " with blanks \r\n");
  const std::string hook = "http://127.0.0.1/" + std::string(300, 'x') + "?token=S3cret";
  write("hook", hook + "\n");
  EXPECT_EQ(read_secret_reference("credential:key", kMaxSecret).value(), "sesame");
  EXPECT_EQ(read_secret_reference("file:" + (folder / "other").string(), kMaxSecret).value(),
            " with blanks ");
  for (const char* itself : {"sesame", "file", "credential", "CREDENTIAL:key"}) {
    EXPECT_EQ(read_secret_reference(itself, kMaxSecret).value(), itself);
  }
  const auto settings = parse_config(
      std::string(kBefore) +
          "publish-key = credential:key\non-play = credential:hook\nplay-secret = file:" +
          (folder / "other").string() + "\n",
      "mp.ini");
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_EQ(settings->vhosts.front().publish.key, "sesame");
  EXPECT_EQ(settings->vhosts.front().play.secret, " with blanks ");
  EXPECT_EQ(settings->vhosts.front().hooks.on_play, hook);
}

TEST_F(SecretFiles, WhatIsInThemIsCheckedAndNotShown) {
  write("bad", "My&S3cretKey\n");
  write("lines", "S3cretKey\nS3cretKey\n");
  write("empty", "\n");
  write("long", std::string(256, 'S'));
  for (const char* name : {"bad", "lines", "empty", "long", "missing"}) {
    const std::string told = told_of(std::string("publish-key = credential:") + name + "\n");
    EXPECT_NE(told.find("mp.ini:7: [vhost a.test] publish-key = ...: "), std::string::npos) << told;
    const bool says_where = told.find("in the file that it names: ") != std::string::npos;
    EXPECT_EQ(says_where, std::string_view(name) != "missing") << told;
    EXPECT_EQ(told.find("S3cret"), std::string::npos) << told;
  }
}

TEST_F(SecretFiles, WhatCannotBeReadSaysWhy) {
  EXPECT_NE(error_of("credential:../key").find("expected credential:NAME"), std::string::npos);
  EXPECT_NE(error_of("credential:").find("expected credential:NAME"), std::string::npos);
  EXPECT_NE(error_of("credential:..").find("expected credential:NAME"), std::string::npos);
  for (const char* value : {"file:", "file:key", "file:./key"}) {
    EXPECT_NE(error_of(value).find("expected file:/PATH"), std::string::npos) << value;
  }
  EXPECT_NE(error_of("credential:none").find("No such file"), std::string::npos);
  EXPECT_NE(error_of("file:/dev/null").find("expected a regular file"), std::string::npos);
  EXPECT_NE(error_of("file:/").find("expected a regular file"), std::string::npos);
  write("loop", "credential:loop\n");
  EXPECT_NE(error_of("credential:loop").find("not where one is"), std::string::npos);
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_NE(error_of("credential:key").find("LoadCredential="), std::string::npos);
}

}  // namespace
}  // namespace mpb
