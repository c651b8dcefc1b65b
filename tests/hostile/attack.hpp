// What a hostile worker can do, by name.
#pragma once

#include <span>
#include <string_view>

#include "tests/hostile/rogue.hpp"

namespace mpb::hostile {

enum class Stage : std::uint8_t {
  kBorn,     // nothing was received or sent
  kStarted,  // Start has come, Ready was not sent
  kOnline,
};

struct Attack {
  std::string_view name;
  Stage stage;
  /// When it returns, the worker tells that it is done and behaves.
  void (*run)(Rogue& rogue);
};

std::span<const Attack> datagram_attacks();    // that break the format
std::span<const Attack> descriptor_attacks();  // with descriptors that do not belong
std::span<const Attack> order_attacks();       // well-formed, but untrue or at the wrong time
std::span<const Attack> listener_attacks();    // on descriptors that others have, too
std::span<const Attack> load_attacks();        // too much of something
std::span<const Attack> process_attacks();     // without a word on the channel
std::span<const Attack> descent_attacks();     // through processes that it starts
std::span<const Attack> letter_attacks();      // with letters to others
std::span<const Attack> question_attacks();    // with answers to the operator's questions
std::span<const Attack> table_attacks();       // on the shared tables

}  // namespace mpb::hostile
