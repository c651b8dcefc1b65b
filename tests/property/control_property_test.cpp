// Any split of a client's bytes gives the same commands and the same verdict.
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "proto/control/classifier.hpp"
#include "proto/control/control.hpp"
#include "tests/support/first_verdict.hpp"
#include "tests/support/seeded.hpp"

namespace mpb {
namespace {

using control::Command;
using Kind = Command::Kind;
using Told = std::tuple<Kind, std::int32_t, std::string>;

/// Reads as a session does: appends each segment to what is left over, takes off whole commands.
class Reader {
 public:
  void feed(std::string_view segment) {
    pending_ += segment;
    std::size_t done = 0;
    while (!ended_) {
      const Command command = control::first_command(std::string_view(pending_).substr(done));
      if (command.kind == Kind::kIncomplete) break;
      told_.emplace_back(command.kind, command.id, std::string(command.text));
      ended_ = command.size == 0;
      done += command.size;
    }
    pending_.erase(0, done);
  }
  [[nodiscard]] const std::vector<Told>& told() const { return told_; }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  std::string pending_;
  std::vector<Told> told_;
  bool ended_ = false;
};

class ControlProperty : public test::SeededTest {
 protected:
  /// Appends one command to `wire` and what it must be read as to `expected`.
  void add_command(std::string& wire, std::vector<Told>& expected) {
    switch (number(0, 2)) {
      case 0: {
        const std::string id = bytes(4);
        std::uint32_t value = 0;
        for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(id[i]);
        wire += 'C' + id;
        expected.emplace_back(Kind::kClaim, static_cast<std::int32_t>(value), "");
        break;
      }
      case 1: {
        std::string text = some_bytes(one_in(10) ? control::kMaxMessage : 20);
        for (char& c : text) c = c == '\0' ? 'x' : c;
        wire += 'M' + text + '\0';
        expected.emplace_back(Kind::kMessage, 0, text);
        break;
      }
      default:
        wire += 'W';
        expected.emplace_back(Kind::kWho, 0, "");
    }
  }

  Reader read_in_pieces(std::string_view wire) {
    Reader reader;
    const std::size_t longest = one_in(4) ? 1 : number(std::size_t{1}, std::size_t{64});
    while (!wire.empty()) {
      const std::string_view piece = wire.substr(0, number(std::size_t{1}, longest));
      reader.feed(piece);
      wire.remove_prefix(piece.size());
    }
    return reader;
  }
};

TEST_F(ControlProperty, AnySplitOfCommandsGivesTheSameCommands) {
  for (int round = 0; round < 500; ++round) {
    std::string wire;
    std::vector<Told> expected;
    for (int left = number(0, 30); left > 0; --left) add_command(wire, expected);
    const Reader reader = read_in_pieces(wire);
    ASSERT_EQ(reader.told(), expected);
    ASSERT_EQ(reader.pending(), 0U);
    ASSERT_FALSE(reader.ended());
  }
}

TEST_F(ControlProperty, AnySplitOfArbitraryBytesGivesTheSameCommands) {
  constexpr std::string_view kLikely = "CMW\0x";
  for (int round = 0; round < 500; ++round) {
    std::string wire = some_bytes(one_in(10) ? 6000 : 60);
    for (char& c : wire) {
      if (!one_in(8)) c = kLikely[number(std::size_t{0}, kLikely.size() - 1)];
    }
    Reader whole;
    whole.feed(wire);
    const Reader pieces = read_in_pieces(wire);
    ASSERT_EQ(pieces.told(), whole.told());
    ASSERT_EQ(pieces.ended(), whole.ended());
  }
}

TEST_F(ControlProperty, AnIncompleteCommandIsBounded) {
  for (int round = 0; round < 200; ++round) {
    std::string wire = bytes(control::kMaxMessage + 2);
    wire[0] = "CMW"[number(0, 2)];
    ASSERT_NE(control::first_command(wire).kind, Kind::kIncomplete);
  }
}

TEST_F(ControlProperty, AVerdictStandsWhateverFollows) {
  const ControlClassifier control;
  const PingClassifier ping;
  for (int round = 0; round < 500; ++round) {
    std::string wire;
    std::vector<Told> expected;
    add_command(wire, expected);
    wire += some_bytes(40);
    if (one_in(3)) wire[0] = static_cast<char>(bits());
    for (const Classifier* classifier :
         {static_cast<const Classifier*>(&control), static_cast<const Classifier*>(&ping)}) {
      std::optional<Verdict> first;
      for (std::size_t length = 0; length <= wire.size(); ++length) {
        const Verdict now =
            test::first_verdict(*classifier, std::string_view(wire).substr(0, length));
        if (!first && now.kind != Verdict::Kind::kNeedMore) first = now;
        if (!first) continue;
        ASSERT_EQ(now.kind, first->kind) << length << " bytes";
        ASSERT_EQ(now.key, first->key) << length << " bytes";
        ASSERT_EQ(now.text, first->text) << length << " bytes";
        ASSERT_EQ(now.consumed, first->consumed) << length << " bytes";
      }
    }
  }
}

}  // namespace
}  // namespace mpb
