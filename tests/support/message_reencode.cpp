#include "tests/support/message_reencode.hpp"

#include <functional>

namespace mpb::test {
namespace {

using namespace mpb::channel;

std::vector<std::uint64_t> ids_of(std::string_view ids) {
  std::vector<std::uint64_t> out;
  for_each_id(ids, [&](std::uint64_t id) { out.push_back(id); });
  return out;
}

std::string keys_of(std::string_view entries) {
  std::string payload;
  KeyEntry entry;
  while (next_key(entries, entry)) append_key(payload, entry);
  return payload;
}

struct Views {
  using Result = std::vector<std::string_view>;
  Result operator()(const Listen& m) const {
    return {m.name, m.protocol, m.handler, m.prefix_from};
  }
  Result operator()(const Deliver& m) const { return {m.key, m.state, m.prefix}; }
  Result operator()(const Handoff& m) const { return {m.key, m.state, m.prefix}; }
  Result operator()(const Query& m) const { return {m.question, m.argument}; }
  Result operator()(const Answer& m) const { return {m.text}; }
  Result operator()(const Vhosts& m) const { return {m.text}; }
  Result operator()(const Pong& m) const { return {m.refusals, m.counters}; }
  Result operator()(const Notice& m) const { return {m.address, m.vhost, m.app, m.stream, m.key}; }
  Result operator()(const Ack& m) const { return {m.deliveries}; }
  Result operator()(const Settled& m) const { return {m.handoffs}; }
  Result operator()(const Keep& m) const { return {m.entries}; }
  Result operator()(const Nack& m) const { return {m.entries}; }
  Result operator()(const Own& m) const { return keys(m.entries); }
  Result operator()(const Disown& m) const { return keys(m.entries); }
  Result operator()(const Idle& m) const { return keys(m.entries); }
  Result operator()(const ResyncReport& m) const {
    Result out = keys(m.owned);
    out.push_back(m.unsettled);
    out.push_back(m.adopted);
    return out;
  }
  // The others hold numbers only.
  Result operator()(const Configure&) const { return {}; }
  Result operator()(const Unlisten&) const { return {}; }
  Result operator()(const Start&) const { return {}; }
  Result operator()(const Drain&) const { return {}; }
  Result operator()(const Ping&) const { return {}; }
  Result operator()(const Resync&) const { return {}; }
  Result operator()(const Ready&) const { return {}; }
  Result operator()(const Load&) const { return {}; }

 private:
  static Result keys(std::string_view entries) {
    Result out{entries};
    KeyEntry entry;
    while (next_key(entries, entry)) out.push_back(entry.key);
    return out;
  }
};

struct Reencode {
  std::string& out;

  template <class T>
  requires requires(std::string& to, const T& m) { encode(to, m); }
  void operator()(const T& m) const { encode(out, m); }
  void operator()(const Pong& m) const {
    if ((m.flags & Pong::kRefusals) != 0) {
      encode_pong(out, m.nonce, ids_of(m.refusals), ids_of(m.counters));
    } else {
      encode_pong(out, m.nonce, ids_of(m.counters));
    }
  }
  void operator()(const Ack& m) const { encode_ack(out, m.load, ids_of(m.deliveries)); }
  void operator()(const Settled& m) const { encode_settled(out, ids_of(m.handoffs)); }
  void operator()(const Keep& m) const {
    std::vector<KeepEntry> entries;
    for_each_keep(m.entries, [&](const KeepEntry& entry) { entries.push_back(entry); });
    encode_keep(out, entries);
  }
  void operator()(const Nack& m) const {
    std::vector<NackEntry> entries;
    for_each_nack(m.entries, [&](const NackEntry& entry) { entries.push_back(entry); });
    encode_nack(out, entries);
  }
  void operator()(const Own& m) const { encode_keys(out, Type::kOwn, keys_of(m.entries)); }
  void operator()(const Disown& m) const { encode_keys(out, Type::kDisown, keys_of(m.entries)); }
  void operator()(const Idle& m) const { encode_keys(out, Type::kIdle, keys_of(m.entries)); }
  void operator()(const ResyncReport& m) const {
    std::vector<AdoptionEntry> adopted;
    for (std::size_t i = 0; i < m.adopted.size(); i += AdoptionEntry::kSize) {
      adopted.push_back(adoption_entry_at(m.adopted, i));
    }
    encode_resync_report(out, m.flags, m.load, ids_of(m.unsettled), adopted, keys_of(m.owned));
  }
};

}  // namespace

std::vector<std::string_view> views_of(const Message& message) {
  return std::visit(Views{}, message);
}

std::string reencode(const Message& message) {
  std::string out;
  std::visit(Reencode{out}, message);
  return out;
}

bool lies_within(std::string_view inner, std::string_view outer) {
  if (inner.empty()) return true;
  const std::less_equal<> not_after;
  return not_after(outer.data(), inner.data()) &&
         not_after(inner.data() + inner.size(), outer.data() + outer.size());
}

}  // namespace mpb::test
