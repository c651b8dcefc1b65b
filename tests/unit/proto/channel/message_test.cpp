#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/channel/encode.hpp"
#include "tests/support/message_reencode.hpp"

namespace mpb::channel {
namespace {

using namespace std::string_literals;

/// A datagram written by hand, independently of the encoder.
std::string datagram(std::uint8_t type, std::string_view payload, std::uint64_t id = 0,
                     std::uint16_t flags = 0) {
  std::string out;
  append_le(out, std::uint8_t{2});
  append_le(out, type);
  append_le(out, flags);
  append_le(out, static_cast<std::uint32_t>(payload.size()));
  append_le(out, id);
  return out.append(payload);
}

template <class T>
T expect(std::string_view bytes) {
  const auto decoded = decode(bytes);
  EXPECT_TRUE(decoded) << decoded.why();
  if (!decoded || !std::holds_alternative<T>(*decoded)) {
    ADD_FAILURE() << "not the expected kind of message";
    return {};
  }
  return std::get<T>(*decoded);
}

template <class... F>
std::string encoded(F&&... arguments) {
  std::string out;
  encode(out, std::forward<F>(arguments)...);
  return out;
}

/// A text or list as it lies on the wire.
std::string text(std::string_view bytes) {
  std::string out;
  append_le(out, static_cast<std::uint32_t>(bytes.size()));
  return out.append(bytes);
}

std::string client(const std::string& fixed, std::size_t key, std::size_t state,
                   std::size_t prefix) {
  return fixed + text(std::string(key, 'k')) + text(std::string(state, 's')) +
         text(std::string(prefix, 'p'));
}

std::string why(std::string_view bytes) {
  const auto decoded = decode(bytes);
  EXPECT_FALSE(decoded);
  return std::string(decoded.why());
}

// --- the header ----------------------------------------------------------------------------------

TEST(Message, LiesOnTheWireAsSpecified) {
  EXPECT_EQ(encoded(Ping{0x0807060504030201}),
            "\x02\x0c\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08"s);
  EXPECT_EQ(encoded(Start{}), datagram(0x04, ""));
  EXPECT_EQ(encoded(Resync{3}), datagram(0x0d, "", 3));
  EXPECT_EQ(encoded(Unlisten{9}), datagram(0x03, "\x09\0"s));
  EXPECT_EQ(encoded(Drain{0x01020304}), datagram(0x0b, "\x04\x03\x02\x01"));
  EXPECT_EQ(encoded(Ready{0x01020304}), datagram(0x11, "\x04\x03\x02\x01\x02\0"s));
  EXPECT_EQ(encoded(Fork{1, 0x0302}), datagram(0x50, "\x02\x03"s, 1));
  EXPECT_EQ(encoded(CanFork{}), datagram(0x51, "\x02\0"s));
  EXPECT_EQ(encoded(Forked{1, 0x05040302, 9}), datagram(0x52, "\x02\x03\x04\x05\x09\0\0\0"s, 1));
  EXPECT_EQ(encoded(Load{1, 2}), datagram(0x16, "\x01\0\0\0\x02\0\0\0"s));
}

TEST(Message, ADatagramShorterThanAHeaderIsRefused) {
  const std::string ping = encoded(Ping{1});
  for (std::size_t length = 0; length < kHeaderSize; ++length) {
    EXPECT_EQ(why(std::string_view(ping).substr(0, length)), "shorter than a header");
  }
}

TEST(Message, AnotherVersionIsRefused) {
  for (const char version : {'\0', '\x01', '\x03', '\xff'}) {
    std::string ping = encoded(Ping{1});
    ping[0] = version;
    EXPECT_EQ(why(ping), "unknown protocol version");
  }
}

TEST(Message, ALengthThatIsNotThePayloadsIsRefused) {
  EXPECT_EQ(why(encoded(Ready{1}) + '\0'), "length does not match");
  std::string ready = encoded(Ready{1});
  ready.pop_back();
  EXPECT_EQ(why(ready), "length does not match");
}

TEST(Message, APayloadOverTheLimitIsRefused) {
  EXPECT_EQ(why(datagram(0x07, std::string(kMaxPayload + 8, '\0'))), "payload over the limit");
  const std::string ids((kMaxPayload - 4) / 8 * 8, '\0');
  EXPECT_EQ(expect<Settled>(datagram(0x07, text(ids))).handoffs.size(), ids.size() / 8);
}

TEST(Message, EveryUnassignedTypeIsRefused) {
  std::size_t known = 0;
  for (unsigned type = 0; type < 256; ++type) {
    const auto decoded = decode(datagram(static_cast<std::uint8_t>(type), ""));
    if (decoded || decoded.why() != "unknown message type") ++known;
  }
  EXPECT_EQ(known, std::variant_size_v<Message>);
}

TEST(Message, WhatIsMissingIsAnErrorAndWhatIsAddedIsSkipped) {
  EXPECT_EQ(why(datagram(0x11, "abcde")), "payload too short");
  EXPECT_EQ(expect<Ready>(datagram(0x11, "\1\0\0\0\2\0more"s)).pid, 1U);
  EXPECT_TRUE(decode(datagram(0x04, "a")));
  EXPECT_EQ(why(datagram(0x01, std::string(15, '\0'))), "payload too short");
  EXPECT_TRUE(decode(datagram(0x01, std::string(17, '\0'))));
}

// --- each kind -----------------------------------------------------------------------------------

TEST(Message, ConfigureKeepsEveryField) {
  const std::vector<std::uint64_t> settings{5, 6};
  const Configure sent{1, 2, 3, 4, settings};
  EXPECT_EQ(encoded(sent), datagram(0x01, "\1\0\2\0\3\0\0\0\4\0\0\0"s +
                                              text("\5\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0"s)));
  const std::string bytes = encoded(sent);
  const auto got = expect<Configure>(bytes);
  EXPECT_EQ(got.oldest_version, 1);
  EXPECT_EQ(got.newest_version, 2);
  EXPECT_EQ(got.slot, 3);
  EXPECT_EQ(got.window, 4U);
  EXPECT_EQ(std::vector<std::uint64_t>(got.settings.begin(), got.settings.end()), settings);
}

TEST(Message, VersionsAreNegotiated) {
  const auto offered = expect<Configure>(encoded(Configure{}));
  EXPECT_EQ(offered.oldest_version, kVersion);
  EXPECT_EQ(offered.newest_version, kVersion);
  EXPECT_EQ(expect<Ready>(encoded(Ready{1})).version, kVersion);
  EXPECT_EQ(expect<Ready>(encoded(Ready{1, 9})).version, 9);
}

TEST(Message, ListenKeepsEveryField) {
  const std::string bytes = encoded(Listen{7, Listen::kAccepts, 3, "main", "control", "echo"});
  EXPECT_EQ(
      bytes,
      datagram(0x02, "\7\0\3\0"s + text("main") + text("control") + text("echo") + text(""), 0, 1));
  const auto got = expect<Listen>(bytes);
  EXPECT_EQ(got.listener, 7U);
  EXPECT_EQ(got.flags, Listen::kAccepts);
  EXPECT_EQ(got.space, 3);
  EXPECT_EQ(got.name, "main");
  EXPECT_EQ(got.protocol, "control");
  EXPECT_EQ(got.handler, "echo");
}

TEST(Message, ListenSaysWhoseWordCounts) {
  const std::string networks = std::string(16, 'a') + "\x20" + std::string(16, 'b') + "\x80";
  const Listen sent{7, Listen::kProxyProtocol, 3, "r", "rtmp", "", networks};
  const std::string bytes = encoded(sent);
  EXPECT_EQ(
      bytes,
      datagram(0x02, "\7\0\3\0"s + text("r") + text("rtmp") + text("") + text(networks), 0, 8));
  const auto got = expect<Listen>(bytes);
  EXPECT_EQ(got.handler, "");
  EXPECT_EQ(got.prefix_from, networks);
  Listen broken = sent;
  broken.prefix_from.remove_suffix(1);
  EXPECT_EQ(why(encoded(broken)), "Listen with a broken network");
}

TEST(Message, ListenBounds) {
  const std::string longest(kMaxName, 'n');
  EXPECT_EQ(expect<Listen>(encoded(Listen{65535, 0, 0, longest, longest, longest})).name, longest);
  const std::string over(kMaxName + 1, 'n');
  EXPECT_EQ(why(encoded(Listen{1, 0, 0, over, "", ""})), "name too long");
  EXPECT_EQ(why(encoded(Listen{1, 0, 0, "", over, ""})), "name too long");
  EXPECT_EQ(why(encoded(Listen{1, 0, 0, "", "", over})), "name too long");
}

void expect_traveller(const Traveller& got) {
  EXPECT_EQ(got.listener, 2);
  EXPECT_EQ(got.hops, 3);
  EXPECT_EQ(got.attempts, 4);
  EXPECT_TRUE(got.counted);
  EXPECT_EQ(got.key, "key");
  EXPECT_EQ(got.state, "st");
  EXPECT_EQ(got.unconsumed, "prefix\0x"s);
}

const std::string kTraveller = "\2\0\3\0\4\1\0\0"s + text("key") + text("st") + text("prefix\0x"s);

TEST(Message, HandoffKeepsEveryField) {
  const std::string bytes = encoded(Handoff{11, {2, 3, 4, true, "key", "st", "prefix\0x"s}});
  EXPECT_EQ(bytes, datagram(0x12, kTraveller, 11));
  const auto got = expect<Handoff>(bytes);
  EXPECT_EQ(got.handoff, 11U);
  expect_traveller(got.client);
}

TEST(Message, DeliverKeepsEveryField) {
  const std::string bytes =
      encoded(Deliver{11, 12, 1, 3, Deliver::kTcp, {2, 3, 4, true, "key", "st", "prefix\0x"s}});
  EXPECT_EQ(bytes, datagram(0x05, "\x0c\0\0\0\0\0\0\0\x03\0\0\0\x01\0\0\0"s + kTraveller, 11, 1));
  const auto got = expect<Deliver>(bytes);
  EXPECT_EQ(got.delivery, 11U);
  EXPECT_EQ(got.handoff, 12U);
  EXPECT_EQ(got.origin, 1);
  EXPECT_EQ(got.epoch, 3U);
  EXPECT_EQ(got.flags, Deliver::kTcp);
  expect_traveller(got.client);
}

TEST(Message, ATravellerIsPassedOnAsItCame) {
  const std::string added = kTraveller + "what a newer worker says of it";
  const std::string handed = datagram(0x12, added, 11);
  const auto handoff = expect<Handoff>(handed);
  Deliver deliver;
  deliver.client = handoff.client;
  const std::string delivered = encoded(deliver);
  EXPECT_EQ(delivered, datagram(0x05, std::string(16, '\0') + added));
  expect_traveller(expect<Deliver>(delivered).client);
}

TEST(Message, ClientFieldsAtAndOverTheirBounds) {
  const std::string handoff(8, '\0');
  const std::string deliver(24, '\0');  // and the client's numbers
  for (const auto& [type, fixed] : {std::pair{0x12, handoff}, std::pair{0x05, deliver}}) {
    const auto t = static_cast<std::uint8_t>(type);
    const std::size_t left = kMaxClient - kMaxKey;
    EXPECT_TRUE(decode(datagram(t, client(fixed, kMaxKey, left - kMaxUnconsumed, kMaxUnconsumed))));
    EXPECT_TRUE(decode(datagram(t, client(fixed, kMaxKey, kMaxState, left - kMaxState))));
    EXPECT_EQ(why(datagram(t, client(fixed, kMaxKey + 1, 0, 0))), "key too long");
    EXPECT_EQ(why(datagram(t, client(fixed, 0, kMaxState + 1, 0))), "state too long");
    EXPECT_EQ(why(datagram(t, client(fixed, kMaxKey, kMaxState, left - kMaxState + 1))),
              "key, state and unconsumed bytes too long");
    EXPECT_EQ(why(datagram(t, client(fixed, 0, 0, kMaxUnconsumed + 1))),
              "unconsumed bytes too long");
  }
}

TEST(Message, WhatIsAddedToATravellerMustFitADeliver) {
  const std::string numbers(8, '\0');
  const std::string known = client(numbers, 3, 3, 3);
  const std::string most(kMaxTraveller - known.size(), 'x');
  EXPECT_TRUE(decode(datagram(0x12, known + most)));
  EXPECT_EQ(why(datagram(0x12, known + most + "x")), "key, state and unconsumed bytes too long");
}

TEST(Message, AFullClientFitsAPayload) {
  EXPECT_LE(16 + 8 + 3 * 4 + kMaxClient, kMaxPayload);
  EXPECT_LE(16 + kMaxTraveller, kMaxPayload);
}

TEST(Message, VhostsKeepsEveryField) {
  const std::string bytes = encoded(Vhosts{Vhosts::kFirst | Vhosts::kLast, "[vhost a]\n"});
  EXPECT_EQ(bytes, datagram(0x0e, text("[vhost a]\n"), 0, 3));
  const auto got = expect<Vhosts>(bytes);
  EXPECT_EQ(got.flags, 3);
  EXPECT_EQ(got.text, "[vhost a]\n");
  EXPECT_EQ(expect<Vhosts>(datagram(0x0e, text(""), 0, Vhosts::kLast)).text, "");
  const std::string longest(kMaxPayload - 4, 'x');
  EXPECT_EQ(expect<Vhosts>(encoded(Vhosts{0, longest})).text, longest);
}

TEST(Message, PongCarriesBlocksOfCounters) {
  std::string blocks;
  append_block(blocks, {BlockKind::kWorker, 0, std::vector<std::uint64_t>{1, 2}});
  append_block(blocks, {BlockKind::kListener, 9, std::vector<std::uint64_t>{}});
  EXPECT_EQ(blocks,
            "\1\0\0\0\x10\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"
            "\3\0\x09\0\0\0\0\0"s);
  const std::string bytes = encoded(Pong{5, blocks});
  EXPECT_EQ(bytes, datagram(0x17, text(blocks), 5));
  const auto got = expect<Pong>(bytes);
  EXPECT_EQ(got.nonce, 5U);
  std::string_view rest = got.blocks;
  Block block;
  ASSERT_TRUE(next_block(rest, block));
  EXPECT_EQ(block.kind, BlockKind::kWorker);
  EXPECT_EQ(std::vector<std::uint64_t>(block.counters.begin(), block.counters.end()),
            (std::vector<std::uint64_t>{1, 2}));
  ASSERT_TRUE(next_block(rest, block));
  EXPECT_EQ(block.kind, BlockKind::kListener);
  EXPECT_EQ(block.number, 9);
  EXPECT_TRUE(block.counters.empty());
  EXPECT_FALSE(next_block(rest, block));
}

TEST(Message, ABlockThatIsNotWholeIsRefused) {
  for (const auto& blocks :
       {"1234567"s, "\1\0\0\0\x08\0\0\0short"s, "\1\0\0\0\xff\xff\xff\xff________"s}) {
    EXPECT_EQ(why(datagram(0x17, text(blocks))), "Pong with a broken block");
  }
}

TEST(Message, NoticeKeepsEveryField) {
  Notice sent;
  sent.kind = Notice::Kind::kUnpublish;
  sent.reason = Reason::kKicked;
  sent.action = Notice::Action::kPlay;
  sent.suppressed = 0x01020304;
  sent.address = "192.0.2.1:5";
  sent.vhost = "a.test";
  sent.app = "live";
  sent.stream = "s";
  sent.key = "k";
  const std::string wire = encoded(sent);
  EXPECT_EQ(wire, datagram(0x1a, "\x02\x1b\x03\0\x04\x03\x02\x01"s + text("192.0.2.1:5") +
                                     text("a.test") + text("live") + text("s") + text("k")));
  const auto got = expect<Notice>(wire);
  EXPECT_EQ(got.kind, sent.kind);
  EXPECT_EQ(got.reason, sent.reason);
  EXPECT_EQ(got.action, sent.action);
  EXPECT_EQ(got.suppressed, sent.suppressed);
  EXPECT_EQ(got.address, sent.address);
  EXPECT_EQ(got.vhost, sent.vhost);
  EXPECT_EQ(got.app, sent.app);
  EXPECT_EQ(got.stream, sent.stream);
  EXPECT_EQ(got.key, sent.key);
}

TEST(Message, NoticeBounds) {
  Notice longest;
  const std::string text(kMaxName, 'x');
  longest.address = longest.vhost = longest.app = longest.stream = longest.key = text;
  EXPECT_EQ(expect<Notice>(encoded(longest)).key, text);
  const std::string over(kMaxName + 1, 'x');
  for (std::string_view Notice::*field :
       {&Notice::address, &Notice::vhost, &Notice::app, &Notice::stream, &Notice::key}) {
    Notice notice;
    notice.*field = over;
    EXPECT_EQ(why(encoded(notice)), "text of a Notice too long");
  }
  const auto with = [](char kind, char reason, char action) {
    return datagram(0x1a, std::string{kind, reason, action} + std::string(25, '\0'));
  };
  EXPECT_TRUE(decode(with(1, 0, 0)));
  EXPECT_EQ(why(with(0, 0, 0)), "unknown kind of Notice");
  EXPECT_EQ(why(with(4, 0, 0)), "unknown kind of Notice");
  EXPECT_EQ(why(with(3, static_cast<char>(kReasons), 0)), "unknown reason of a Notice");
  EXPECT_EQ(why(with(3, '\xff', 0)), "unknown reason of a Notice");
  EXPECT_EQ(why(with(3, 1, 4)), "unknown action of a Notice");
  EXPECT_EQ(why(datagram(0x1a, "\1" + std::string(26, '\0'))), "payload too short");
}

TEST(Message, QueryKeepsEveryField) {
  const std::string bytes = encoded(Query{5, "kick", "a.test/live/s"});
  EXPECT_EQ(bytes, datagram(0x0f, text("kick") + text("a.test/live/s"), 5));
  const auto got = expect<Query>(bytes);
  EXPECT_EQ(got.nonce, 5U);
  EXPECT_EQ(got.question, "kick");
  EXPECT_EQ(got.argument, "a.test/live/s");
  EXPECT_EQ(expect<Query>(encoded(Query{5, "streams", ""})).argument, "");
}

TEST(Message, QueryBounds) {
  const std::string question(kMaxName, 'q');
  const std::string argument(kMaxArgument, 'a');
  EXPECT_EQ(expect<Query>(encoded(Query{1, question, argument})).argument, argument);
  EXPECT_EQ(why(encoded(Query{1, "", argument})), "question empty");
  EXPECT_EQ(why(encoded(Query{1, question + "q", ""})), "question too long");
  EXPECT_EQ(why(encoded(Query{1, question, argument + "a"})), "argument too long");
  EXPECT_EQ(why(datagram(0x0f, "\x05\0\0\0kick"s)), "payload too short");
  EXPECT_EQ(why(datagram(0x0f, "\x05")), "payload too short");
}

TEST(Message, AnswerKeepsEveryField) {
  const std::array<std::uint64_t, 1> totals{7};
  const std::string records = text("ab") + text("");
  const std::string bytes = encoded(Answer{5, Answer::kLast, totals, records});
  EXPECT_EQ(bytes, datagram(0x19, text("\x07\0\0\0\0\0\0\0"s) + text(records), 5, 1));
  const auto got = expect<Answer>(bytes);
  EXPECT_EQ(got.nonce, 5U);
  EXPECT_EQ(got.flags, Answer::kLast);
  EXPECT_EQ(got.totals.bytes(), List<std::uint64_t>(totals).bytes());
  EXPECT_EQ(got.records, records);
  EXPECT_EQ(expect<Answer>(datagram(0x19, text("") + text(""), 5, 3)).flags, 3);
}

TEST(Message, AnswerHasWholeRecords) {
  for (const std::string& odd : {"x"s, "\1\0\0\0"s, text("ab") + "\2\0\0\0x"s, text("") + "\0"s}) {
    EXPECT_EQ(why(encoded(Answer{5, 0, {}, odd})), "Answer with a broken record");
  }
  EXPECT_EQ(why(datagram(0x19, text("1234567") + text(""), 5)), "list with a broken entry");
  EXPECT_EQ(why(datagram(0x19, text(""), 5)), "payload too short");
}

TEST(Message, TablesKeepEveryField) {
  std::string changes;
  append_change(changes, {7, false, "t", "key", "value"});
  EXPECT_EQ(changes, "\7\0\0\0\0\0\0\0\0\1\3\0\5\0\0\0tkeyvalue"s);
  append_change(changes, {8, true, "t", "k", ""});
  const std::string bytes = encoded(Tables{Tables::kLast, 5, 9, changes});
  EXPECT_EQ(bytes, datagram(0x30, "\5\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0"s + text(changes), 0, 2));
  const auto got = expect<Tables>(bytes);
  EXPECT_EQ(got.flags, Tables::kLast);
  EXPECT_EQ(got.window, 5U);
  EXPECT_EQ(got.version, 9U);
  std::string_view rest = got.changes;
  TableChange change;
  ASSERT_TRUE(next_change(rest, change));
  EXPECT_EQ(change.version, 7U);
  EXPECT_FALSE(change.erased);
  EXPECT_EQ(change.table, "t");
  EXPECT_EQ(change.key, "key");
  EXPECT_EQ(change.value, "value");
  ASSERT_TRUE(next_change(rest, change));
  EXPECT_TRUE(change.erased);
  EXPECT_FALSE(next_change(rest, change));
  EXPECT_EQ(expect<TableChanges>(datagram(0x31, text(changes))).changes, changes);
}

TEST(Message, ChangesOfTablesAreWholeAndWithinTheirBounds) {
  const auto of = [](const TableChange& change) {
    std::string changes;
    append_change(changes, change);
    return why(datagram(0x31, text(changes)));
  };
  const std::string_view broken = "TableChanges with a broken change";
  const std::string longest(kMaxTableValue, 'v');
  std::string bounds;
  append_change(bounds, {1, false, std::string(64, 't'), std::string(255, 'k'), longest});
  EXPECT_EQ(expect<TableChanges>(datagram(0x31, text(bounds))).changes, bounds);
  EXPECT_EQ(of({1, false, std::string(65, 't'), "k", ""}), broken);
  EXPECT_EQ(of({1, false, "", "k", ""}), broken);
  EXPECT_EQ(of({1, false, "t", "", ""}), broken);
  EXPECT_EQ(of({1, false, "t", "k", longest + "v"}), broken);
  EXPECT_EQ(why(datagram(0x31, text("\7\0\0\0\0\0\0\0\0\1\3\0\xff\xff\xff\xfftkeyvalue"s))),
            broken);
  EXPECT_EQ(why(datagram(0x31, text("short"))), broken);
}

TEST(Message, OperationsOnTablesAndTheirResultsKeepEveryField) {
  const TableOperation sent{3, TableOperation::Kind::kAdd, 4, 5, 6, "t", "k", "v"};
  const std::string wire = encoded(sent);
  EXPECT_EQ(wire, datagram(0x38,
                           "\4\0\0\0\4\0\0\0\5\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0"s + text("t") +
                               text("k") + text("v"),
                           3));
  const auto got = expect<TableOperation>(wire);
  EXPECT_EQ(got.operation, 3U);
  EXPECT_EQ(got.kind, TableOperation::Kind::kAdd);
  EXPECT_EQ(got.ttl_ms, 4U);
  EXPECT_EQ(got.expected, 5U);
  EXPECT_EQ(got.amount, 6U);
  EXPECT_EQ(got.table, "t");
  EXPECT_EQ(got.key, "k");
  EXPECT_EQ(got.value, "v");
  for (const char kind : {'\0', '\5'}) {
    std::string odd = wire;
    odd[kHeaderSize] = kind;
    EXPECT_EQ(why(odd), "unknown kind of a TableOperation");
  }
  const std::vector<TableResult> results{{1, 2, 3, 4, {}}};
  const std::string bytes = encoded(TableResults{results});
  EXPECT_EQ(
      bytes,
      datagram(0x32, text("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"s)));
  EXPECT_EQ((*expect<TableResults>(bytes).results.begin()).outcome, 4);
}

// --- lists ---------------------------------------------------------------------------------------

using Ids = std::vector<std::uint64_t>;

template <class Entry>
std::vector<Entry> all(const List<Entry>& list) {
  return {list.begin(), list.end()};
}

TEST(Message, AckCarriesTheLoadAndIds) {
  const Ids ids{3, 4};
  const std::string bytes = encoded(Ack{{1, 2}, ids});
  EXPECT_EQ(bytes, datagram(0x13, "\1\0\0\0\2\0\0\0"s + text("\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"s)));
  const auto got = expect<Ack>(bytes);
  EXPECT_EQ(got.load.clients, 1U);
  EXPECT_EQ(got.load.held, 2U);
  EXPECT_EQ(all(got.deliveries), ids);
  EXPECT_EQ(why(datagram(0x13, std::string(7, '\0'))), "payload too short");
}

TEST(Message, KeepAndNackEntriesKeepEveryField) {
  const std::vector<KeepEntry> kept{{1, 2, 3}, {4, 5, 6}};
  const std::string keep = encoded(Keep{kept});
  EXPECT_EQ(keep.size(), kHeaderSize + 4 + 2 * 24);
  Ids fields;
  for (const KeepEntry entry : expect<Keep>(keep).entries) {
    fields.insert(fields.end(), {entry.handoff, entry.delivery, entry.epoch});
  }
  EXPECT_EQ(fields, (Ids{1, 2, 3, 4, 5, 6}));

  const std::vector<NackEntry> refused{{1, NackReason::kFull}, {2, NackReason::kLoop}};
  const std::string nack = encoded(Nack{refused});
  EXPECT_EQ(nack, datagram(0x08, text("\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                                      "\2\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0"s)));
  std::vector<NackReason> reasons;
  for (const NackEntry entry : expect<Nack>(nack).entries) reasons.push_back(entry.reason);
  EXPECT_EQ(reasons, (std::vector{NackReason::kFull, NackReason::kLoop}));
}

TEST(Message, AnUnknownNackReasonIsRefusedInAnyEntry) {
  for (const unsigned reason : {0U, 9U, 255U}) {
    const std::vector<NackEntry> entries{{1, NackReason::kFull},
                                         {2, static_cast<NackReason>(reason)}};
    EXPECT_EQ(why(encoded(Nack{entries})), "unknown Nack reason");
  }
}

TEST(Message, AListThatIsNotWholeIsRefused) {
  for (const int type : {0x06, 0x07, 0x08}) {
    EXPECT_TRUE(decode(datagram(static_cast<std::uint8_t>(type), text("")))) << type;
    EXPECT_EQ(why(datagram(static_cast<std::uint8_t>(type), text("1234567"))),
              "list with a broken entry")
        << type;
  }
  for (const int type : {0x09, 0x0a, 0x15}) {
    EXPECT_TRUE(decode(datagram(static_cast<std::uint8_t>(type), text("")))) << type;
    EXPECT_EQ(why(datagram(static_cast<std::uint8_t>(type), text("1234567"))),
              "list with a broken key")
        << type;
  }
}

TEST(Message, KeyListsKeepEveryField) {
  std::string keys;
  append_key(keys, {1, 2, "room"});
  append_key(keys, {3, 4, ""});
  EXPECT_EQ(keys, "\x01\0\0\0\x02\0\x04\0room\x03\0\0\0\x04\0\0\0"s);
  EXPECT_EQ(encoded(Own{keys}), datagram(0x09, text(keys)));
  EXPECT_EQ(encoded(Disown{keys}), datagram(0x0a, text(keys)));
  EXPECT_EQ(encoded(Idle{keys}), datagram(0x15, text(keys)));
  const std::string own = encoded(Own{keys});
  std::string_view rest = expect<Own>(own).keys;
  KeyEntry entry;
  ASSERT_TRUE(next_key(rest, entry));
  EXPECT_EQ(entry.epoch, 1U);
  EXPECT_EQ(entry.space, 2);
  EXPECT_EQ(entry.key, "room");
  ASSERT_TRUE(next_key(rest, entry));
  EXPECT_EQ(entry.epoch, 3U);
  EXPECT_EQ(entry.space, 4);
  EXPECT_EQ(entry.key, "");
  EXPECT_FALSE(next_key(rest, entry));
}

TEST(Message, KeysAtAndOverTheirBound) {
  std::string keys;
  append_key(keys, {0, 0, std::string(kMaxKey, 'k')});
  EXPECT_TRUE(decode(encoded(Own{keys})));
  keys.clear();
  append_key(keys, {0, 0, std::string(kMaxKey + 1, 'k')});
  EXPECT_EQ(why(encoded(Own{keys})), "list with a broken key");
}

TEST(Message, ResyncReportKeepsEveryField) {
  std::string owned;
  append_key(owned, {1, 2, "room"});
  const Ids unsettled{7};
  const std::vector<AdoptionEntry> adopted{{8, 9}};
  const Ids deliveries{10};
  const std::string bytes =
      encoded(ResyncReport{ResyncReport::kLast, {5, 6}, unsettled, adopted, owned, deliveries, 4});
  EXPECT_EQ(bytes, datagram(0x18,
                            "\x05\0\0\0\x06\0\0\0"s + text("\x07\0\0\0\0\0\0\0"s) +
                                text("\x08\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0"s) + text(owned) +
                                text("\x0a\0\0\0\0\0\0\0"s),
                            4, 1));
  const auto got = expect<ResyncReport>(bytes);
  EXPECT_EQ(all(got.deliveries), deliveries);
  EXPECT_EQ(got.round, 4U);
  EXPECT_EQ(got.flags, ResyncReport::kLast);
  EXPECT_EQ(got.load.clients, 5U);
  EXPECT_EQ(got.load.held, 6U);
  EXPECT_EQ(all(got.unsettled), unsettled);
  EXPECT_EQ((*got.adopted.begin()).handoff, 8U);
  EXPECT_EQ((*got.adopted.begin()).origin, 9);
  EXPECT_EQ(got.owned, owned);
}

TEST(Message, AResyncReportProvesEachAdoption) {
  const std::vector<AdoptionEntry> adopted{{8, 9}};
  EXPECT_EQ(why(encoded(ResyncReport{0, {}, {}, adopted, {}, {}})),
            "ResyncReport with an unproven adoption");
}

TEST(Message, Bye) {
  const std::string bytes = encoded(Bye{2, "no port"});
  EXPECT_EQ(bytes, datagram(0x1b, "\x02\0\0\0"s + text("no port")));
  const auto got = expect<Bye>(bytes);
  EXPECT_EQ(got.code, 2U);
  EXPECT_EQ(got.why, "no port");
  EXPECT_EQ(why(encoded(Bye{2, std::string(256, 'x')})), "text of a Bye too long");
}

std::string content(std::uint8_t kind, std::string_view topic, std::string_view payload) {
  std::string out;
  append_le(out, kind);
  out.append(7, '\0');
  append_le(out, std::uint64_t{9});
  return out + text(topic) + text(payload);
}

TEST(Message, PostKeepsEveryField) {
  const Post sent{5,
                  kWithDescriptor,
                  {To::Kind::kOwner, 1, 2, 3, "key"},
                  {Content::Kind::kRequest, 9, "topic", "payload"}};
  const std::string bytes = encoded(sent);
  EXPECT_EQ(
      bytes,
      datagram(0x20, "\3\0\1\0\2\0\0\0\3\0\0\0"s + text("key") + content(1, "topic", "payload"), 5,
               1));
  const auto got = expect<Post>(bytes);
  EXPECT_EQ(got.id, 5U);
  EXPECT_EQ(got.flags, kWithDescriptor);
  EXPECT_EQ(got.to.kind, To::Kind::kOwner);
  EXPECT_EQ(got.to.slot, 1);
  EXPECT_EQ(got.to.generation, 2U);
  EXPECT_EQ(got.to.space, 3);
  EXPECT_EQ(got.to.name, "key");
  EXPECT_EQ(got.content.kind, Content::Kind::kRequest);
  EXPECT_EQ(got.content.correlation, 9U);
  EXPECT_EQ(got.content.topic, "topic");
  EXPECT_EQ(got.content.payload, "payload");
  EXPECT_EQ(posted_bytes(got), bytes.size());
}

TEST(Message, LetterKeepsEveryFieldAndItsContentAsItCame) {
  const std::string newer = content(2, "", "yes") + "newer";
  const std::string bytes = datagram(0x21, "\1\0\0\0\7\0\0\0"s + newer, 12);
  const auto got = expect<Letter>(bytes);
  EXPECT_EQ(got.number, 12U);
  EXPECT_EQ(got.slot, 1);
  EXPECT_EQ(got.generation, 7U);
  EXPECT_EQ(got.content.payload, "yes");
  EXPECT_EQ(got.content.wire, newer);
  EXPECT_EQ(encoded(got), bytes);
}

TEST(Message, LettersAtAndOverTheirBounds) {
  const auto post = [](std::uint8_t to, std::size_t name, const std::string& what) {
    std::string address;
    append_le(address, to);
    address.append(11, '\0');
    return datagram(0x20, address + text(std::string(name, 'n')) + what);
  };
  const std::string longest = content(0, std::string(64, 't'), std::string(32768, 'p'));
  EXPECT_TRUE(decode(post(5, kMaxKey, longest)));
  EXPECT_EQ(why(post(6, 0, longest)), "unknown address of a Post");
  EXPECT_EQ(why(post(0, kMaxKey + 1, longest)), "name too long");
  EXPECT_EQ(why(post(0, 0, content(4, "", ""))), "unknown kind of a letter");
  EXPECT_EQ(why(post(0, 0, content(0, std::string(65, 't'), ""))), "topic too long");
  EXPECT_EQ(why(post(0, 0, content(0, "", std::string(32769, 'p')))),
            "payload of a letter too long");
  EXPECT_EQ(why(post(0, 0, longest + std::string(1000, 'x'))), "content of a letter too long");
}

TEST(Message, WhatBelongsToLettersKeepsEveryField) {
  const LossEntry lost{5, 7, 1, Loss::kFull};
  const std::string undeliverable = encoded(Undeliverable{std::span(&lost, 1)});
  EXPECT_EQ(undeliverable, datagram(0x22, text("\5\0\0\0\0\0\0\0\7\0\0\0\1\0\3\0"s)));
  EXPECT_EQ((*expect<Undeliverable>(undeliverable).entries.begin()).why, Loss::kFull);
  EXPECT_EQ(encoded(Credit{1, 2, 3}), datagram(0x23, "\1\0\0\0\2\0\0\0\3\0\0\0"s));
  EXPECT_EQ(expect<Credit>(encoded(Credit{1, 2, 3})).generation, 3U);
  EXPECT_EQ(encoded(Join{Join::kLeave, "g"}), datagram(0x24, text("g"), 0, 1));
  EXPECT_EQ(why(datagram(0x24, text(""))), "name of a group empty");
  EXPECT_EQ(why(datagram(0x24, text(std::string(65, 'g')))), "name of a group too long");
  EXPECT_EQ(encoded(Subscribe{}), datagram(0x25, ""));
  const Event event{8, 1, 2, 3, "why"};
  EXPECT_EQ(encoded(event), datagram(0x26, "\x08\0\1\0\2\0\0\0\3\0\0\0\0\0\0\0"s + text("why")));
  EXPECT_EQ(expect<Event>(datagram(0x26, "\xff\0"s + std::string(14, '\0') + text(""))).kind, 255)
      << "a newer one";
}

TEST(Message, OnlyClientsLettersChannelsAndAcceptingListenersCarryADescriptor) {
  EXPECT_TRUE(carries_descriptor(Post{1, kWithDescriptor, {}, {}}));
  EXPECT_FALSE(carries_descriptor(Post{}));
  EXPECT_TRUE(carries_descriptor(Letter{1, kWithDescriptor, 0, 0, {}}));
  EXPECT_FALSE(carries_descriptor(Letter{}));
  EXPECT_TRUE(carries_descriptor(Fork{}));
  EXPECT_FALSE(carries_descriptor(Forked{}));
  EXPECT_TRUE(carries_descriptor(Handoff{}));
  EXPECT_TRUE(carries_descriptor(Deliver{}));
  EXPECT_TRUE(carries_descriptor(Listen{1, Listen::kAccepts | Listen::kServeLocal, 0, "", "", ""}));
  EXPECT_FALSE(carries_descriptor(Listen{1, Listen::kServeLocal, 0, "", "", ""}));
  EXPECT_FALSE(carries_descriptor(Ack{}));
  EXPECT_FALSE(carries_descriptor(Start{}));
  EXPECT_FALSE(carries_descriptor(Vhosts{1, "[vhost a]"}));
}

TEST(ByteReader, StaysFailedAfterAFieldThatDoesNotFit) {
  ByteReader in("abc");
  EXPECT_EQ(in.number<std::uint32_t>(), 0U);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.bytes(1), "");
  EXPECT_FALSE(in.at_end());
}

TEST(ByteReader, HugeCountsDoNotOverflow) {
  ByteReader in("abc");
  EXPECT_EQ(in.bytes(SIZE_MAX), "");
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace mpb::channel
