// What the tests and fuzz targets do with any decoded channel message: list the memory it points
// to, and write it again from its fields.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/channel/message.hpp"

namespace mpb::test {

/// Every view of `message` into its datagram.
std::vector<std::string_view> views_of(const channel::Message& message);

/// The canonical datagram of `message`: reserved bytes and unused header fields are 0, and nothing
/// follows the fields that are known.
std::string reencode(const channel::Message& message);

/// True when `inner` is empty or lies wholly within `outer`.
bool lies_within(std::string_view inner, std::string_view outer);

}  // namespace mpb::test
