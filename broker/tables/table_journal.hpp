// The shared tables in memory that outlives the broker: all entries at a time, and behind them each
// change since. Whoever writes may end in the midst of it. Of two places one is written until it is
// long, then the other begins with all entries. Pure: whoever calls has the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "proto/channel/tables.hpp"

namespace mpb {

class TableJournal {
 public:
  /// `memory` is aligned as a page is. What is there is to be read, and gone on with.
  explicit TableJournal(std::span<std::byte> memory);

  /// `end_ms`: when the entry ends, of CLOCK_MONOTONIC; 0: never.
  static void append_record(std::string& records, const channel::TableChange& change,
                            std::uint64_t end_ms);
  /// Calls it for each record, in order; views of the memory.
  using Take = std::function<void(const channel::TableChange& change, std::uint64_t end_ms)>;
  void read(const Take& take) const;

  /// False: it is to begin anew with all entries.
  bool append(std::string_view records);
  /// False: there is no room for them, and nothing is kept.
  bool begin_anew(std::string_view records);

 private:
  struct Header {
    std::uint64_t magic = 0;
    std::uint64_t sequence = 0;
    std::uint64_t length = 0;  // of whole records
  };
  [[nodiscard]] std::span<std::byte> place(int number) const;
  [[nodiscard]] Header header(int number) const;
  void write_header(int number, const Header& header);
  void write(int number, std::size_t at, std::string_view records);

  std::span<std::byte> memory_;
  int current_ = 0;
  Header header_;
  std::size_t begun_with_ = 0;  // bytes of the entries that it began with
};

}  // namespace mpb
