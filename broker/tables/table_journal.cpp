#include "broker/tables/table_journal.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "proto/base/byte_order.hpp"

namespace mpb {
namespace {

constexpr std::uint64_t kMagic = 0x4c42'4154'5342'504d;  // "MPBSTABL"
constexpr std::size_t kLong = 1 << 20;                   // bytes of changes, at least
constexpr std::size_t kTimesLonger = 3;                  // than the entries it began with

/// What was stored before is there before what is stored next: the kernel keeps both, so it is
/// enough that the compiler does not change their order.
void keep_order() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace

TableJournal::TableJournal(std::span<std::byte> memory) : memory_(memory) {
  const Header first = header(0);
  const Header second = header(1);
  current_ = second.sequence > first.sequence ? 1 : 0;
  header_ = current_ == 1 ? second : first;
  begun_with_ = header_.length;
}

std::span<std::byte> TableJournal::place(int number) const {
  const std::size_t half = memory_.size() / 2;
  return memory_.subspan(number == 0 ? 0 : half, half);
}

TableJournal::Header TableJournal::header(int number) const {
  Header header;
  std::memcpy(&header, place(number).data(), sizeof header);
  const bool good = header.magic == kMagic && header.length <= place(number).size() - sizeof header;
  return good ? header : Header{};
}

void TableJournal::write_header(int number, const Header& header) {
  keep_order();
  std::memcpy(place(number).data(), &header, sizeof header);
  keep_order();
}

void TableJournal::write(int number, std::size_t at, std::string_view records) {
  if (records.empty()) return;  // memcpy(3) is not to be given its null
  std::memcpy(place(number).data() + sizeof(Header) + at, records.data(), records.size());
}

void TableJournal::append_record(std::string& records, const channel::TableChange& change,
                                 std::uint64_t end_ms) {
  append_le(records, end_ms);
  channel::append_change(records, change);
}

void TableJournal::read(const Take& take) const {
  std::string_view rest(reinterpret_cast<const char*>(place(current_).data()) + sizeof(Header),
                        header_.length);
  channel::TableChange change;
  while (rest.size() > sizeof(std::uint64_t)) {
    const auto end_ms = load_le<std::uint64_t>(rest.data());
    rest.remove_prefix(sizeof end_ms);
    if (!channel::next_change(rest, change)) return;
    take(change, end_ms);
  }
}

bool TableJournal::append(std::string_view records) {
  const std::size_t room = place(current_).size() - sizeof(Header) - header_.length;
  const bool long_enough = header_.length > std::max(kLong, begun_with_ * kTimesLonger);
  if (header_.magic == 0 || records.size() > room || long_enough) return false;
  write(current_, header_.length, records);
  header_.length += records.size();
  write_header(current_, header_);
  return true;
}

/// The other place counts once its header is whole, and until then this one does.
bool TableJournal::begin_anew(std::string_view records) {
  const int next = 1 - current_;
  write_header(next, {});
  const bool fits = records.size() <= place(next).size() - sizeof(Header);
  if (fits) write(next, 0, records);
  header_ = {kMagic, header_.sequence + 1, fits ? records.size() : 0};
  begun_with_ = header_.length;
  current_ = next;
  write_header(current_, header_);
  return fits;
}

}  // namespace mpb
