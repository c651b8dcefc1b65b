// Reading and writing RTMP's numbers: big-endian, but for the message stream id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mpb::rtmp {

/// The number in the `size` bytes at `bytes`; size <= 4.
inline std::uint32_t load_be(const char* bytes, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

/// The lowest `size` bytes of `value`; size <= 4.
inline void store_be(char* bytes, std::uint32_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0; value >>= 8) bytes[i] = static_cast<char>(value);
}

inline void append_be(std::string& out, std::uint32_t value, std::size_t size) {
  char bytes[4];
  store_be(bytes, value, size);
  out.append(bytes, size);
}

}  // namespace mpb::rtmp
