// The channel's codec on random messages and on what damage makes of them.
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/channel/message.hpp"
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
  ASSERT_EQ(canonical.size(), bytes.size());
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
    const std::string prefix = some_bytes(std::min({longest, kMaxPrefix, left}));
    std::string out;
    if (one_in(2)) {
      encode(out, Handoff{any<U64>(), any<U16>(), any<U16>(), any<std::uint8_t>(), one_in(2), key,
                          state, prefix});
    } else {
      encode(out, Deliver{any<U64>(), any<U64>(), any<U16>(), any<U16>(), any<U32>(), any<U16>(),
                          one_in(2), key, state, prefix});
    }
    return out;
  }
  std::string with_list(std::size_t longest) {
    std::string out;
    switch (number(0, 6)) {
      case 0:
        encode_ack(out, {any<U32>(), any<U32>()}, ids());
        break;
      case 1:
        encode_settled(out, ids());
        break;
      case 2: {
        std::vector<KeepEntry> entries(number(std::size_t{0}, std::size_t{5}));
        for (KeepEntry& entry : entries) entry = {any<U64>(), any<U64>(), any<U32>()};
        encode_keep(out, entries);
        break;
      }
      case 3: {
        std::vector<NackEntry> entries(number(std::size_t{0}, std::size_t{5}));
        for (NackEntry& entry : entries) {
          entry = {any<U64>(), static_cast<NackReason>(number(1, 7))};
        }
        encode_nack(out, entries);
        break;
      }
      case 4: {
        constexpr std::array kTypes{Type::kOwn, Type::kDisown, Type::kIdle};
        encode_keys(out, kTypes[number(std::size_t{0}, kTypes.size() - 1)],
                    keys(std::min(longest, kMaxKey)));
        break;
      }
      case 5: {
        std::vector<AdoptionEntry> adopted(number(std::size_t{0}, std::size_t{5}));
        for (AdoptionEntry& entry : adopted) entry = {any<U64>(), any<U16>()};
        encode_resync_report(out, any<U16>(), {any<U32>(), any<U32>()}, ids(), adopted,
                             keys(std::min(longest, kMaxKey)));
        break;
      }
      default:
        one_in(2) ? encode_pong(out, any<U64>(), ids())
                  : encode_pong(out, any<U64>(), ids(), ids());
    }
    return out;
  }
  std::string with_numbers(std::size_t longest) {
    const std::size_t most = std::min(longest, kMaxName);
    const std::string name = some_bytes(most);
    const std::string protocol = some_bytes(most);
    const std::string handler = some_bytes(most);
    std::string out;
    const std::array<std::function<void()>, 13> kinds{
        [&] {
          encode(out, Configure{any<U16>(), any<U16>(), any<U32>(), any<U32>(), any<U32>(),
                                any<U32>(), any<U32>(), any<U32>(), any<U32>(), any<U32>(),
                                any<U32>(), any<U16>(), any<U64>(), any<U32>()});
        },
        [&] {
          const std::string networks(one_in(2) ? 0 : 2 * kNetworkEntry, 'n');
          encode(out,
                 Listen{any<U16>(), any<U16>(), any<U16>(), name, protocol, handler, networks});
        },
        [&] { encode(out, Unlisten{any<U64>()}); },
        [&] { encode(out, Start{}); },
        [&] { encode(out, Drain{any<U32>()}); },
        [&] { encode(out, Ping{any<U64>()}); },
        [&] { encode(out, Resync{}); },
        [&] {
          encode(out, Query{any<U64>(), "q" + name.substr(0, kMaxName - 1), protocol});
        },
        [&] {
          encode(out, Answer{any<U64>(), any<U16>(), handler});
        },
        [&] { encode(out, Ready{any<U32>()}); },
        [&] {
          encode(out, Vhosts{any<U16>(), name});
        },
        [&] {
          encode(out, Load{any<U32>(), any<U32>()});
        },
        [&] {
          Notice notice;
          notice.kind = static_cast<Notice::Kind>(number(1, 3));
          notice.reason = static_cast<Reason>(number(std::size_t{0}, kReasons - 1));
          notice.action = static_cast<Notice::Action>(number(0, 3));
          notice.suppressed = any<U32>();
          notice.address = name.substr(0, kMaxName);
          notice.vhost = protocol.substr(0, kMaxName);
          notice.key = handler.substr(0, kMaxName);
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
