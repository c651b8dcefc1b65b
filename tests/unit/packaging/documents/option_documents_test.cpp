// The option table and the defaults in common/config/settings.hpp say the same, and documents are
// made from it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/config/option_table.hpp"
#include "common/config/options.hpp"
#include "common/config/vhost_values.hpp"
#include "packaging/documents/document_files.hpp"

namespace mpb {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(std::string(MPB_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file) << path;
  return (std::ostringstream() << file.rdbuf()).str();
}

/// Every setting but a listener's name and address and those of vhosts, as text.
std::string dump(const Settings& s) {
  const ListenerSettings& l = s.listeners.at(0);
  std::string text = fmt::format("{} '{}' {} {} {} {} {} {:o} {} {}\n", l.protocol, l.handler,
                                 static_cast<int>(l.policy), l.sticky,
                                 static_cast<int>(l.overflow_rule()), l.pins.size(), l.backlog,
                                 l.mode, static_cast<int>(l.key), static_cast<int>(l.prefix));
  text += fmt::format("{} {} {} ", static_cast<int>(l.isolate),
                      static_cast<int>(l.isolate_overflow), s.spare_workers + s.max_failures);
  text += format_networks(l.prefix_from);
  text += fmt::format("{} {} {} {} {} {} '{}' '{}' '{}'\n", s.workers, s.max_workers.has_value(),
                      s.acceptors.has_value(), s.max_clients, s.grow_at, s.max_keys,
                      s.worker_program, s.user, s.group);
  for (const Duration d :
       {s.linger, s.key_linger, s.drain_timeout, s.start_timeout, s.ping_interval, s.ping_limit,
        s.answer_timeout, s.silence_timeout, s.recovery_time, l.rollover, s.header_timeout,
        s.idle_timeout, s.send_timeout, s.route_timeout}) {
    text += format_duration(d) + " ";
  }
  text += fmt::format("{} {} {} {} ", l.keepalive.on, l.keepalive.idle.count(),
                      l.keepalive.interval.count(), l.keepalive.probes);
  return text + fmt::format("\n{} {} {} {} {} '{}' {}\n", s.gop_memory, s.media_memory,
                            static_cast<int>(s.sandbox), static_cast<int>(s.spawn),
                            s.clients_per_source, s.control_socket, static_cast<int>(s.log_level));
}

std::string default_dump() {
  Settings defaults;
  defaults.listeners.emplace_back();
  return dump(defaults);
}

TEST(OptionTable, DefaultsAreThoseOfTheSettings) {
  Settings settings;
  settings.listeners.emplace_back();
  VhostSettings vhost;
  KeySettings key;
  for (const OptionSpec& spec : option_table()) {
    if (spec.apply == nullptr || spec.default_value.empty()) continue;
    const Status applied =
        spec.apply({settings, &settings.listeners.front(), &vhost, &key}, spec.default_value);
    ASSERT_TRUE(applied) << spec.name << ": " << applied.error().text;
    EXPECT_EQ(dump(settings), default_dump()) << spec.name;
    EXPECT_EQ(vhost, VhostSettings()) << spec.name;
    EXPECT_EQ(key, KeySettings()) << spec.name;
  }
}

TEST(OptionTable, KeysOfVhostsShowTheirDefaults) {
  for (const OptionSpec& spec : option_table()) {
    ASSERT_EQ(spec.show != nullptr, spec.scope == OptionScope::kVhost) << spec.name;
    if (spec.show == nullptr) continue;
    const std::vector<std::string> shown = spec.show(VhostSettings());
    if (spec.repeatable) {
      EXPECT_TRUE(shown.empty()) << spec.name;
    } else {
      EXPECT_EQ(shown, std::vector{std::string(spec.default_value)}) << spec.name;
    }
  }
}

TEST(OptionTable, NamesAreUniqueAndFound) {
  for (const OptionSpec& spec : option_table()) {
    EXPECT_EQ(find_option(spec.name, spec.scope), &spec);
    EXPECT_NE(find_option(spec.name), nullptr);
    EXPECT_EQ(spec.apply == nullptr, spec.scope == OptionScope::kCommandLine) << spec.name;
  }
  EXPECT_EQ(find_option("nothing"), nullptr);
}

TEST(Documents, AreCurrent) {
  for (const documents::DocumentFile& file : documents::document_files()) {
    const std::string text = read(std::string(file.path));
    EXPECT_TRUE(text == file.written(text)) << file.path << ": run tools/documents";
  }
}

TEST(Example, IsValidAndMeansTheDefaults) {
  std::vector<Warning> warnings;
  const auto settings = parse_config(read("examples/mpbroker.ini"), "mpbroker.ini", &warnings);
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_TRUE(warnings.empty()) << warnings.front().text();
  ASSERT_EQ(settings->listeners.size(), 1U);
  EXPECT_EQ(dump(*settings), default_dump());
  ASSERT_EQ(settings->vhosts.size(), 1U);
  VhostSettings vhost;
  vhost.name = kDefaultVhost;
  EXPECT_EQ(settings->vhosts.front(), vhost);
  ASSERT_EQ(settings->keys.size(), 1U);
  EXPECT_EQ(settings->keys.front().cell, CellSettings());
}

TEST(Example, StaysValidWhenEveryKeyIsSet) {
  std::istringstream lines(read("examples/mpbroker.ini"));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const bool key = line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
    text.append(key ? line.substr(1) : line).append("\n");
  }
  // With none that isolates a user of a vhost's or a key's own would be an error.
  const std::string_view shared = "isolate = no";
  text.replace(text.find(shared), shared.size(), "isolate = key");
  text += "[listener rtmp]\nlisten = 127.0.0.1:1935\nprotocol = rtmp\nisolate = key\n";
  const auto settings = parse_config(text, "mpbroker.ini");
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_NE(settings->keys.at(0).cell, CellSettings());
  EXPECT_TRUE(settings->max_workers);
  EXPECT_FALSE(settings->user.empty() || settings->group.empty());
  EXPECT_EQ(settings->listeners.at(0).pins.size(), 1U);
  for (const OptionSpec& spec : vhost_option_table()) {
    if (!spec.default_value.empty()) continue;
    EXPECT_NE(spec.show(settings->vhosts.at(0)), spec.show(VhostSettings())) << spec.name;
  }
}

bool is_of_section(const OptionSpec& spec) {
  return spec.scope == OptionScope::kVhost || spec.scope == OptionScope::kKey;
}

/// With the dashes of an option; the keys of vhosts and of keys have none.
std::string written(const OptionSpec& spec) {
  return fmt::format("{}{}", is_of_section(spec) ? "" : "--", spec.name);
}

std::string joined_words(const std::string& text) {
  std::istringstream words(text);
  std::string joined;
  for (std::string word; words >> word;) joined.append(word).append(" ");
  return joined;
}

TEST(Help, NamesEveryOptionAndDefault) {
  for (const char* program : {"mpbroker", "mpworker"}) {
    const std::string text = joined_words(help_text(program));
    EXPECT_NE(text.find(fmt::format("Usage: {} ", program)), std::string::npos);
    for (const OptionSpec& spec : option_table()) {
      EXPECT_NE(text.find(fmt::format(" {} ", written(spec))), std::string::npos) << spec.name;
      if (spec.default_value.empty()) continue;
      EXPECT_NE(text.find(fmt::format("(default: {})", spec.default_value)), std::string::npos);
    }
  }
}

/// A manual page without roff's escapes and font changes.
std::string page(const std::string& name) {
  const std::string source = read("packaging/man/" + name);
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\\') {
      text += source[i];
    } else if (source.compare(i, 2, "\\f") == 0) {
      i += 2;
    } else {
      text += source[++i];
    }
  }
  return text;
}

TEST(ManualPages, KnowNoOtherOptions) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz-";
  for (const char* name : {"mpbroker.8", "mpworker.8"}) {
    const std::string text = page(name);
    for (auto at = text.find("--"); at != std::string::npos; at = text.find("--", at + 2)) {
      const auto end = text.find_first_not_of(kLetters, at + 2);
      const std::string option = text.substr(at + 2, end - at - 2);
      const OptionSpec* spec = find_option(option);
      ASSERT_NE(spec, nullptr) << name << ": --" << option;
      EXPECT_FALSE(is_of_section(*spec)) << name << ": --" << option;
    }
  }
}

}  // namespace
}  // namespace mpb
