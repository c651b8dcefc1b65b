// AMF3 values, which clients of Flash's second generation put among those of AMF0, as AMF0 values.
// Source: Adobe's "Action Message Format -- AMF 3", 3.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "proto/rtmp/amf0.hpp"

namespace mpb::amf3 {

/// Takes one value off the front of `bytes`, with the bounds of amf0::read: it lies `depth` deep in
/// another value, and `values` counts it and those in it. References to strings and traits are
/// followed, within a bound; one to an object is Undefined. Nothing: cut short, beyond a bound, or
/// of a form that only its class can read (externalizable objects, dictionaries).
std::optional<amf0::Value> read(std::string_view& bytes, std::size_t depth, std::size_t& values);

}  // namespace mpb::amf3
