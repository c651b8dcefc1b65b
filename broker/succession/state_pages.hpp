// A text in memory that outlives whoever writes it, wherever in the midst of that he ends: two
// places, of which the older is written. Pure: whoever calls has the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mpb {

class StatePages {
 public:
  /// `memory` is aligned as a page is. Each of the places has half of it.
  explicit StatePages(std::span<std::byte> memory);

  /// What was written last, whole. A view of the memory, until the second write from now. Nothing:
  /// nobody has written here, or other things.
  [[nodiscard]] std::optional<std::string_view> read() const;
  /// False: it is too long, and what was there stays.
  bool write(std::string_view text);

 private:
  struct Header {
    std::uint64_t magic;
    std::uint64_t sequence;
    std::uint64_t size;
    std::uint64_t checksum;  // of the others and the text
  };
  struct Place {
    std::span<std::byte> bytes;
    [[nodiscard]] std::size_t room() const { return bytes.size() - sizeof(Header); }
  };

  [[nodiscard]] static std::optional<Header> header(const Place& place);
  [[nodiscard]] static std::string_view text(const Place& place, const Header& header);
  [[nodiscard]] static std::uint64_t checksum(const Header& header, std::string_view text);
  /// The place with the newest text; null: neither has one.
  [[nodiscard]] const Place* newest() const;

  Place places_[2];
  std::uint64_t sequence_ = 0;  // of the last write
  int next_ = 0;                // the place that is written next
};

}  // namespace mpb
