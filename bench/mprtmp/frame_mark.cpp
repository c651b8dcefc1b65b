#include "bench/mprtmp/frame_mark.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

namespace mpb::rtmp_load {
namespace {

constexpr std::string_view kUuid = "mprtmp.framemark";

template <class T>
bool take_hex(std::string_view& bytes, std::size_t digits, T& value) {
  const char* end = bytes.data() + digits;
  const auto [stop, status] = std::from_chars(bytes.data(), end, value, 16);
  bytes.remove_prefix(digits);
  return status == std::errc() && stop == end;
}

}  // namespace

void append_mark(std::string& out, const FrameMark& mark) {
  out += kUuid;
  fmt::format_to(std::back_inserter(out), "{:08x}{:08x}{:016x}{:016x}", mark.stream, mark.publisher,
                 mark.number, static_cast<std::uint64_t>(mark.sent));
}

std::optional<FrameMark> find_mark(std::string_view bytes) {
  const std::size_t found = bytes.find(kUuid);
  if (found == std::string_view::npos || bytes.size() - found < kMarkSize) return std::nullopt;
  bytes.remove_prefix(found + kUuid.size());
  FrameMark mark;
  std::uint64_t sent = 0;
  if (!take_hex(bytes, 8, mark.stream) || !take_hex(bytes, 8, mark.publisher) ||
      !take_hex(bytes, 16, mark.number) || !take_hex(bytes, 16, sent)) {
    return std::nullopt;
  }
  mark.sent = static_cast<std::int64_t>(sent);
  return mark;
}

}  // namespace mpb::rtmp_load
