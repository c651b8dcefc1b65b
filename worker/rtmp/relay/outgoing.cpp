#include "worker/rtmp/relay/outgoing.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "proto/rtmp/command.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kLent = 512;              // bytes that are better lent than copied
constexpr std::size_t kOwnKept = 4UL * 1024;    // memory that may be kept empty
constexpr std::size_t kSentKept = 64UL * 1024;  // bytes that are sent and may still take up memory
constexpr std::size_t kPaidKept = 64;           // likewise loans

}  // namespace

void Outgoing::lend(Loan loan) {
  if (loan.bytes.size() < kLent) {
    own_ += loan.bytes;
    return;
  }
  const std::size_t size = loan.bytes.size();
  loans_.push_back({own_.size(), std::move(loan)});
  lent_ += size;
}

void Outgoing::lend_message(const Message& message, const Loan& payload) {
  append_first_header(own_, message, payload.bytes.size());
  for (std::size_t at = 0; at < payload.bytes.size(); at += kOutChunkSize) {
    if (at > 0) append_next_header(own_, message);
    lend(payload.part(at, kOutChunkSize));
  }
}

std::size_t Outgoing::collect(std::vector<iovec>& slices, std::size_t room,
                              std::size_t large) const {
  std::size_t total = 0;
  const auto add = [&](std::string_view bytes) {
    if (bytes.empty()) return true;
    if (slices.size() == room) return false;
    slices.push_back({const_cast<char*>(bytes.data()), bytes.size()});
    total += bytes.size();
    return true;
  };
  std::size_t at = sent_;
  for (std::size_t i = first_loan_; i < loans_.size(); ++i) {
    const Lent& next = loans_[i];
    if (!add(std::string_view(own_).substr(at, next.at - at))) return total;
    at = next.at;
    if (next.loan.place && next.loan.bytes.size() >= large) return total;
    if (!add(next.loan.bytes)) return total;
  }
  add(std::string_view(own_).substr(at));
  return total;
}

const Loan* Outgoing::first() const {
  return has_loan() && loans_[first_loan_].at == sent_ ? &loans_[first_loan_].loan : nullptr;
}

void Outgoing::advance(std::size_t bytes) {
  while (bytes > 0 && !empty()) {
    const std::size_t own_ends = has_loan() ? loans_[first_loan_].at : own_.size();
    const std::size_t own = std::min(bytes, own_ends - sent_);
    sent_ += own;
    bytes -= own;
    if (bytes == 0 || !has_loan()) break;
    Loan& loan = loans_[first_loan_].loan;
    const std::size_t lent = std::min(bytes, loan.bytes.size());
    lent_ -= lent;
    bytes -= lent;
    loan = loan.part(lent, std::string_view::npos);
    if (loan.bytes.empty()) loans_[first_loan_++].loan.keeper.reset();
  }
  compact();
}

/// What is sent takes up no memory for long, however long there is always something left.
void Outgoing::compact() {
  if (!has_loan()) {
    loans_.clear();
    first_loan_ = 0;
    if (loans_.capacity() > kPaidKept) loans_ = {};
  } else if (first_loan_ >= kPaidKept && first_loan_ * 2 >= loans_.size()) {
    loans_.erase(loans_.begin(), loans_.begin() + static_cast<std::ptrdiff_t>(first_loan_));
    first_loan_ = 0;
  }
  if (sent_ == own_.size()) {
    for (std::size_t i = first_loan_; i < loans_.size(); ++i) loans_[i].at = 0;
    own_.clear();
    sent_ = 0;
    if (own_.capacity() > kOwnKept) own_ = std::string();
  } else if (sent_ >= kSentKept && sent_ * 2 >= own_.size()) {
    for (std::size_t i = first_loan_; i < loans_.size(); ++i) loans_[i].at -= sent_;
    own_.erase(0, sent_);
    sent_ = 0;
  }
}

void Outgoing::append_to(std::string& out, std::size_t limit) const {
  if (size() > limit) return;
  std::vector<iovec> slices;
  collect(slices, SIZE_MAX, SIZE_MAX);
  for (const iovec& slice : slices) {
    out.append(static_cast<const char*>(slice.iov_base), slice.iov_len);
  }
}

void Outgoing::clear() {
  *this = Outgoing();
}

}  // namespace mpb::rtmp
