// The channel's codec on random messages and on what damage makes of them.
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/channel/encode.hpp"
#include "tests/support/message_reencode.hpp"
#include "tests/support/seeded.hpp"

namespace mpb::channel {
namespace {

/// Decodes a copy that ends where its memory ends, so that a sanitizer sees a read beyond it, and
/// checks what holds for every datagram, whole or damaged.
void check_any(std::string_view datagram) {
  const std::unique_ptr<char[]> exact(new char[datagram.size()]);
  datagram.copy(exact.get(), datagram.size());
  const std::string_view bytes(exact.get(), datagram.size());
  const auto decoded = decode(bytes);
  if (!decoded) {
    ASSERT_FALSE(decoded.why().empty());
    return;
  }
  for (const std::string_view view : test::views_of(*decoded)) {
    ASSERT_TRUE(test::lies_within(view, bytes));
  }
  const std::string canonical = test::reencode(*decoded);
  ASSERT_LE(canonical.size(), bytes.size());
  const auto again = decode(canonical);
  ASSERT_TRUE(again) << again.why();
  ASSERT_EQ(again->index(), decoded->index());
  ASSERT_EQ(test::reencode(*again), canonical);
}

class MessageProperty : public test::SeededTest {
 protected:
  template <class T>
  T any() {
    return static_cast<T>(one_in(4) ? number(0, 2) : static_cast<std::int64_t>(bits()));
  }
  using U16 = std::uint16_t;
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;

  std::vector<U64> ids() {
    std::vector<U64> out(number(std::size_t{0}, std::size_t{5}));
    for (U64& id : out) id = any<U64>();
    return out;
  }
  std::string keys(std::size_t longest) {
    std::string payload;
    for (int left = number(0, 4); left > 0; --left) {
      append_key(payload, {any<U32>(), any<U16>(), some_bytes(longest)});
    }
    return payload;
  }

  std::string with_client(std::size_t longest) {
    const std::string key = some_bytes(std::min(longest, kMaxKey));
    const std::string state = some_bytes(std::min(longest, kMaxState));
    const std::size_t left = kMaxClient - key.size() - state.size();
    const std::string prefix = some_bytes(std::min({longest, kMaxUnconsumed, left}));
    const Traveller client{any<U16>(), any<U16>(), any<std::uint8_t>(), one_in(2), key,
                           state,      prefix};
    std::string out;
    if (one_in(2)) {
      encode(out, Handoff{any<U64>(), client});
    } else {
      encode(out, Deliver{any<U64>(), any<U64>(), any<U16>(), any<U32>(), any<U16>(), client});
    }
    return out;
  }
  std::string with_list(std::size_t longest) {
    std::string out;
    const std::vector<U64> some = ids();
    const std::string some_keys = keys(std::min(longest, kMaxKey));
    switch (number(0, 7)) {
      case 0:
        encode(out, Ack{{any<U32>(), any<U32>()}, some});
        break;
      case 1:
        encode(out, Settled{some});
        break;
      case 2: {
        std::vector<KeepEntry> entries(number(std::size_t{0}, std::size_t{5}));
        for (KeepEntry& entry : entries) entry = {any<U64>(), any<U64>(), any<U32>()};
        encode(out, Keep{entries});
        break;
      }
      case 3: {
        std::vector<NackEntry> entries(number(std::size_t{0}, std::size_t{5}));
        for (NackEntry& entry : entries) {
          entry = {any<U64>(), static_cast<NackReason>(number(1, 8))};
        }
        encode(out, Nack{entries});
        break;
      }
      case 4:
        encode(out, Own{some_keys});
        break;
      case 5:
        one_in(2) ? encode(out, Disown{some_keys}) : encode(out, Idle{some_keys});
        break;
      case 6: {
        std::vector<AdoptionEntry> adopted(number(std::size_t{0}, std::size_t{5}));
        std::vector<U64> deliveries;
        for (AdoptionEntry& entry : adopted) {
          entry = {any<U64>(), any<U16>()};
          deliveries.push_back(any<U64>());
        }
        encode(out, ResyncReport{any<U16>(),
                                 {any<U32>(), any<U32>()},
                                 some,
                                 adopted,
                                 some_keys,
                                 deliveries,
                                 any<U64>()});
        break;
      }
      default: {
        std::string blocks;
        for (int left = number(0, 3); left > 0; --left) {
          append_block(blocks, {static_cast<BlockKind>(number(0, 4)), any<U16>(), some});
        }
        encode(out, Pong{any<U64>(), blocks});
      }
    }
    return out;
  }
  std::string changes(std::size_t longest) {
    std::string some;
    for (int left = number(0, 3); left > 0; --left) {
      const std::string table(number(std::size_t{1}, kMaxTableName), 't');
      const std::string key(number(std::size_t{1}, kMaxTableKey), 'k');
      const std::string value = some_bytes(std::min(longest, kMaxTableValue));
      append_change(some, {any<U64>(), one_in(2), table, key, value});
    }
    return some;
  }
  std::string with_numbers(std::size_t longest) {
    const std::size_t most = std::min(longest, kMaxName);
    const std::string name = some_bytes(most);
    const std::string protocol = some_bytes(most);
    const std::string handler = some_bytes(most);
    std::string out;
    const std::string topic = name.substr(0, kMaxTopic);
    const Content content{static_cast<Content::Kind>(number(0, 3)), any<U64>(), topic,
                          std::string_view(protocol)};
    const std::array<std::function<void()>, 28> kinds{
        [&] {
          const Address to{static_cast<To::Kind>(number(0, 5)), any<U16>(), any<U32>(), any<U16>(),
                           name};
          encode(out, Post{any<U64>(), any<U16>(), to, content});
        },
        [&] {
          encode(out, Letter{any<U64>(), any<U16>(), any<U16>(), any<U32>(), content});
        },
        [&] {
          std::vector<LossEntry> entries(number(std::size_t{0}, std::size_t{5}));
          for (LossEntry& entry : entries) entry = {any<U64>(), any<U32>(), any<U16>()};
          encode(out, Undeliverable{entries});
        },
        [&] {
          encode(out, Credit{any<U32>(), any<U32>(), any<U32>()});
        },
        [&] {
          const std::string group = "g" + topic.substr(0, kMaxTopic - 1);
          encode(out, Join{any<U16>(), group});
        },
        [&] { encode(out, Subscribe{any<U16>()}); },
        [&] {
          encode(out, Event{any<std::uint8_t>(), any<U16>(), any<U32>(), any<U64>(), name});
        },
        [&] {
          const std::vector<U64> settings = ids();
          Configure configure;
          configure.slot = any<U16>();
          configure.window = any<U32>();
          configure.settings = settings;
          encode(out, configure);
        },
        [&] {
          const std::string networks(one_in(2) ? 0 : 2 * kNetworkEntry, 'n');
          encode(out,
                 Listen{any<U16>(), any<U16>(), any<U16>(), name, protocol, handler, networks});
        },
        [&] { encode(out, Unlisten{any<U16>()}); },
        [&] { encode(out, Start{}); },
        [&] { encode(out, Drain{any<U32>()}); },
        [&] { encode(out, Ping{any<U64>()}); },
        [&] { encode(out, Resync{any<U64>()}); },
        [&] {
          encode(out, Bye{any<U32>(), name});
        },
        [&] {
          encode(out, Fork{any<U64>(), any<U16>()});
        },
        [&] { encode(out, CanFork{any<U16>()}); },
        [&] {
          encode(out, Forked{any<U64>(), any<U32>(), any<U32>()});
        },
        [&] {
          encode(out, Query{any<U64>(), "q" + name.substr(0, kMaxName - 1), protocol});
        },
        [&] {
          std::string records;
          for (const std::string& record : {name, protocol, handler}) {
            append_le(records, static_cast<U32>(record.size()));
            records += record;
          }
          const std::vector<U64> totals = ids();
          encode(out, Answer{any<U64>(), any<U16>(), totals, records});
        },
        [&] {
          encode(out, Ready{any<U32>(), any<U16>()});
        },
        [&] {
          encode(out, Vhosts{any<U16>(), name});
        },
        [&] {
          encode(out, Load{any<U32>(), any<U32>()});
        },
        [&] {
          const std::string some = changes(most);
          encode(out, Tables{any<U16>(), any<U32>(), any<U64>(), some});
        },
        [&] {
          const std::string some = changes(most);
          encode(out, TableChanges{some});
        },
        [&] {
          std::vector<TableResult> results(number(std::size_t{0}, std::size_t{5}));
          for (TableResult& result : results) {
            result = {any<U64>(), any<U64>(), any<U64>(), any<std::uint8_t>()};
          }
          encode(out, TableResults{results});
        },
        [&] {
          encode(out, TableOperation{any<U64>(), static_cast<TableOperation::Kind>(number(1, 4)),
                                     any<U32>(), any<U64>(), any<U64>(), name, protocol, handler});
        },
        [&] {
          Notice notice;
          notice.kind = static_cast<Notice::Kind>(number(1, 3));
          notice.reason = static_cast<Reason>(number(std::size_t{0}, kReasons - 1));
          notice.action = static_cast<Notice::Action>(number(0, 3));
          notice.suppressed = any<U32>();
          notice.address = name;
          notice.vhost = protocol;
          notice.key = handler;
          encode(out, notice);
        },
    };
    kinds[number(std::size_t{0}, kinds.size() - 1)]();
    return out;
  }
  /// Strings are at most `longest` bytes, or as long as their bound allows.
  std::string random_datagram(std::size_t longest) {
    switch (number(0, 2)) {
      case 0:
        return with_client(longest);
      case 1:
        return with_list(longest);
      default:
        return with_numbers(longest);
    }
  }
};

TEST_F(MessageProperty, WhatIsEncodedDecodesToTheSame) {
  for (int round = 0; round < 3000; ++round) {
    const std::string datagram = random_datagram(one_in(50) ? kMaxPayload : 40);
    const auto decoded = decode(datagram);
    ASSERT_TRUE(decoded) << decoded.why();
    ASSERT_EQ(test::reencode(*decoded), datagram);
    check_any(datagram);
    if (HasFatalFailure()) return;
  }
}

TEST_F(MessageProperty, WhatANewerSenderAddsIsSkipped) {
  for (int round = 0; round < 1000; ++round) {
    std::string datagram = random_datagram(40);
    const std::string known = datagram;
    datagram += some_bytes(20);
    const auto payload = static_cast<std::uint32_t>(datagram.size() - kHeaderSize);
    std::memcpy(&datagram[4], &payload, sizeof payload);
    const auto decoded = decode(datagram);
    ASSERT_TRUE(decoded) << decoded.why();
    ASSERT_EQ(test::reencode(*decoded), known);
    check_any(datagram);
    if (HasFatalFailure()) return;
  }
}

TEST_F(MessageProperty, EveryTruncationIsRefused) {
  for (int round = 0; round < 300; ++round) {
    const std::string datagram = random_datagram(40);
    for (std::size_t length = 0; length < datagram.size(); ++length) {
      const std::string_view cut = std::string_view(datagram).substr(0, length);
      ASSERT_FALSE(decode(cut)) << length << " of " << datagram.size() << " bytes";
      check_any(cut);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(MessageProperty, ATruncationWithItsLengthCorrectedIsSafe) {
  for (int round = 0; round < 300; ++round) {
    const std::string datagram = random_datagram(40);
    for (std::size_t length = kHeaderSize; length < datagram.size(); ++length) {
      std::string cut = datagram.substr(0, length);
      const auto payload = static_cast<std::uint32_t>(length - kHeaderSize);
      std::memcpy(&cut[4], &payload, sizeof payload);
      check_any(cut);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(MessageProperty, EverySingleByteChangeIsSafe) {
  for (int round = 0; round < 60; ++round) {
    const std::string datagram = random_datagram(20);
    for (std::size_t at = 0; at < datagram.size(); ++at) {
      // All values where lengths and types are, a few in what follows.
      const int step = at < kHeaderSize + 40 ? 1 : 37;
      for (int value = 0; value < 256; value += step) {
        std::string damaged = datagram;
        damaged[at] = static_cast<char>(value);
        check_any(damaged);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(MessageProperty, ArbitraryPayloadsOfEveryTypeAreSafe) {
  for (int round = 0; round < 100; ++round) {
    for (unsigned type = 0; type < 0x20; ++type) {
      const std::string payload = some_bytes(80);
      std::string datagram;
      append_le(datagram, kVersion);
      append_le(datagram, static_cast<std::uint8_t>(type));
      append_le(datagram, any<U16>());
      append_le(datagram, static_cast<U32>(payload.size()));
      append_le(datagram, any<U64>());
      check_any(datagram + payload);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace mpb::channel
