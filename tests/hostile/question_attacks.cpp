#include <array>

#include "common/answers/record.hpp"
#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {

using namespace std::string_literals;

namespace {

std::string piece(std::uint64_t nonce, std::string_view records, bool last) {
  std::string datagram;
  channel::encode(
      datagram,
      channel::Answer{nonce, last ? channel::Answer::kLast : std::uint16_t{0}, {}, records});
  return datagram;
}

bool send_answer(Rogue& rogue, std::uint64_t nonce, std::string_view records = {},
                 bool last = true) {
  return rogue.send(piece(nonce, records, last));
}

/// In pieces of whole records, but for what is broken.
void send_long_answer(Rogue& rogue, std::uint64_t nonce, std::string_view records) {
  while (records.size() > channel::kBatch) {
    if (!send_answer(rogue, nonce, channel::take_record_batch(records), false)) return;
  }
  send_answer(rogue, nonce, records);
}

template <class Make>
void answer_all_with(Rogue& rogue, Make make) {
  rogue.on_query = [&rogue, make](std::uint64_t nonce) { send_long_answer(rogue, nonce, make()); };
}

void answer_twice(Rogue& rogue) {
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    send_answer(rogue, nonce);
    send_answer(rogue, nonce);
  };
}

/// Each question is answered when the next one comes, but the latest.
void answer_late(Rogue& rogue) {
  static std::uint64_t owed = 0;
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    if (owed != 0) send_answer(rogue, owed);
    owed = nonce;
  };
}

std::string record_of(std::string_view columns) {
  std::string record;
  append_le(record, static_cast<std::uint32_t>(columns.size()));
  return record.append(columns);
}

std::string as_many_as_may_be(std::string_view record) {
  std::string records;
  while (records.size() + record.size() <= channel::kMaxAnswer) records += record;
  return records;
}

std::string many_streams(const StreamEntry& stream) {
  std::string record;
  append_record(record, stream);
  return as_many_as_may_be(record);
}

/// Far beyond the limit, and no end.
void answer_endlessly(Rogue& rogue) {
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    const std::string longest = record_of(std::string(channel::kMaxPayload - 12, ' '));
    for (int i = 0; i < 1000; ++i) send_answer(rogue, nonce, longest, false);
  };
}

void answer_in_tiny_pieces(Rogue& rogue) {
  rogue.on_query = [&rogue](std::uint64_t nonce) {
    // Made before: to be too fast is the point.
    const std::array<std::string, 2> pieces{piece(nonce, "", false),
                                            piece(nonce, record_of(""), false)};
    for (std::size_t i = 0; i < 400'000; ++i) {
      if (!rogue.send(pieces[i % 2])) return;
    }
  };
}

std::string longest_names() {
  const std::string name(kMaxColumnText, '\x01');
  return many_streams({.vhost = name, .app = name, .stream = name});
}

const std::string kStream = record_of("\1\0\0\0v\1\0\0\0a\1\0\0\0s"s);

/// Without a Query.
void answer_unasked(Rogue& rogue) {
  send_answer(rogue, 12'345);
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
    // Each begins with a stream that could be shown.
    {"answer-broken", Stage::kOnline,
     [](Rogue& r) { answer_all_with(r, [] { return kStream + record_of("\1\0\0\0v\xff"s); }); }},
    {"answer-huge-text", Stage::kOnline,
     [](Rogue& r) {
       answer_all_with(r, [] { return kStream + record_of("\xff\xff\xff\xffv"s); });
     }},
    {"answer-absurd-number", Stage::kOnline,
     [](Rogue& r) {
       answer_all_with(r, [] { return many_streams({.vhost = "v", .app = "a", .fps = -1e300}); });
     }},
    {"answer-cut-record", Stage::kOnline,
     [](Rogue& r) { answer_all_with(r, [] { return kStream + "\xff\xff\xff\xffv"s; }); }},
    {"answer-without-names", Stage::kOnline,
     [](Rogue& r) { answer_all_with(r, [] { return as_many_as_may_be(record_of("")); }); }},
    {"answer-smallest-streams", Stage::kOnline,
     [](Rogue& r) {
       answer_all_with(r, [] { return many_streams({.vhost = "v", .app = "a", .stream = "s"}); });
     }},
    {"answer-longest-names", Stage::kOnline, [](Rogue& r) { answer_all_with(r, longest_names); }},
};

}  // namespace

std::span<const Attack> question_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
