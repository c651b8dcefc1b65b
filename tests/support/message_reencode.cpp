#include "tests/support/message_reencode.hpp"

#include <functional>

#include "proto/channel/encode.hpp"

namespace mpb::test {
namespace {

using namespace mpb::channel;

/// Walks a message's fields and lists what points into the datagram.
struct Views {
  std::vector<std::string_view> found;

  void operator()(auto) {}
  void code(auto, auto, auto, std::string_view) {}
  void boolean(bool) {}
  void reserved(std::size_t) {}
  void text(std::string_view text, std::size_t, std::string_view) { found.push_back(text); }
  void list(const auto& entries) { found.push_back(entries.bytes()); }
  void traveller(const Traveller& client) {
    found.push_back(client.wire);
    Traveller::walk(client, *this);
  }
  void content(const Content& content) {
    found.push_back(content.wire);
    Content::walk(content, *this);
  }
  void id(std::uint64_t) {}
  void flags(std::uint16_t) {}
  void check(bool, std::string_view) {}
};

}  // namespace

std::vector<std::string_view> views_of(const Message& message) {
  Views views;
  std::visit([&views](const auto& m) { walk(m, views); }, message);
  return std::move(views.found);
}

std::string reencode(const Message& message) {
  std::string out;
  std::visit(
      [&out](auto m) {
        if constexpr (requires { m.client.wire; }) m.client.wire = {};
        if constexpr (requires { m.content.wire; }) m.content.wire = {};
        encode(out, m);
      },
      message);
  return out;
}

bool lies_within(std::string_view inner, std::string_view outer) {
  if (inner.empty()) return true;
  const std::less_equal<> not_after;
  return not_after(outer.data(), inner.data()) &&
         not_after(inner.data() + inner.size(), outer.data() + outer.size());
}

}  // namespace mpb::test
