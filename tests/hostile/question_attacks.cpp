#include <array>

#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {

using namespace std::string_literals;

namespace {

std::string piece(std::uint64_t nonce, std::string_view text, bool last) {
  std::string datagram;
  channel::encode(datagram,
                  channel::Answer{nonce, last ? channel::Answer::kLast : std::uint16_t{0}, text});
  return datagram;
}

bool send_answer(Rogue& rogue, std::uint64_t nonce, std::string_view text, bool last = true) {
  return rogue.send(piece(nonce, text, last));
}

/// In pieces as long as they may be.
void send_long_answer(Rogue& rogue, std::uint64_t nonce, std::string_view text) {
  while (text.size() > channel::kMaxAnswerPiece) {
    if (!send_answer(rogue, nonce, text.substr(0, channel::kMaxAnswerPiece), false)) return;
    text.remove_prefix(channel::kMaxAnswerPiece);
  }
  send_answer(rogue, nonce, text);
}

template <class Make>
void answer_all_with(Rogue& rogue, Make make) {
  rogue.on_query = [&rogue, make](std::uint64_t nonce) { send_long_answer(rogue, nonce, make()); };
}

void answer_twice(Rogue& rogue) {
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    send_answer(rogue, nonce, "{}");
    send_answer(rogue, nonce, "{}");
  };
}

/// Each question is answered when the next one comes, but the latest.
void answer_late(Rogue& rogue) {
  static std::uint64_t owed = 0;
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    if (owed != 0) send_answer(rogue, owed, R"({"streams":[]})");
    owed = nonce;
  };
}

/// Blanks, far beyond the limit, and no end.
void answer_endlessly(Rogue& rogue) {
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    const std::string blanks(channel::kMaxAnswerPiece, ' ');
    for (int i = 0; i < 1000; ++i) send_answer(rogue, nonce, blanks, false);
  };
}

void answer_in_tiny_pieces(Rogue& rogue) {
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    // Made before: to be too fast is the point.
    const std::array<std::string, 2> pieces{piece(nonce, "", false), piece(nonce, " ", false)};
    for (std::size_t i = 0; i < 400'000; ++i) {
      if (!rogue.send(pieces[i % 2])) return;
    }
  };
}

std::string repeated(std::string_view begin, std::string_view item, std::string_view end) {
  std::string text(begin);
  while (text.size() + item.size() + end.size() + 1 < channel::kMaxAnswer) {
    if (text.size() > begin.size()) text += ',';
    text += item;
  }
  return text.append(end);
}

std::string smallest_streams() {
  return repeated(R"({"streams":[)", R"({"vhost":"v","app":"a","stream":"s"})", "]}");
}

std::string longest_names() {
  std::string name;
  for (int i = 0; i < 4096; ++i) name += "\\u0001";
  return repeated(R"({"streams":[)",
                  R"({"vhost":")" + name + R"(","app":")" + name + R"(","stream":")" + name + "\"}",
                  "]}");
}

std::string most_values() {
  return repeated(R"({"x":[)", "[],{},0,\"\"", "]}");
}

std::string deepest() {
  return std::string(channel::kMaxAnswer, '[');
}

/// Without a Query.
void answer_unasked(Rogue& rogue) {
  send_answer(rogue, 12'345, "{}");
}

void say_query(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, channel::Query{1, "streams", ""});
  rogue.send(datagram);
}

constexpr Attack kAttacks[] = {
    {"answer-before-ready", Stage::kStarted, answer_unasked},
    {"answer-unasked", Stage::kOnline, answer_unasked},
    {"says-query", Stage::kOnline, say_query},
    {"answer-twice", Stage::kOnline, answer_twice},
    {"answer-never", Stage::kOnline, [](Rogue&) {}},
    {"answer-late", Stage::kOnline, answer_late},
    {"answer-endlessly", Stage::kOnline, answer_endlessly},
    {"answer-in-tiny-pieces", Stage::kOnline, answer_in_tiny_pieces},
    {"answer-broken", Stage::kOnline,
     [](Rogue& r) { answer_all_with(r, [] { return "{\"streams\":[}\xff\0"s; }); }},
    {"answer-deepest", Stage::kOnline, [](Rogue& r) { answer_all_with(r, deepest); }},
    {"answer-most-values", Stage::kOnline, [](Rogue& r) { answer_all_with(r, most_values); }},
    {"answer-smallest-streams", Stage::kOnline,
     [](Rogue& r) { answer_all_with(r, smallest_streams); }},
    {"answer-longest-names", Stage::kOnline, [](Rogue& r) { answer_all_with(r, longest_names); }},
};

}  // namespace

std::span<const Attack> question_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
