#include "worker/rtmp/player.hpp"

#include <algorithm>

#include "proto/rtmp/command.hpp"
#include "worker/rtmp/live_stream.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::uint32_t kChunkStreamsPerPlayer = 4;

}  // namespace

std::uint32_t Player::chunk_stream(Track track) const {
  return chunk_stream_of(track) + ordinal_ * kChunkStreamsPerPlayer;
}

std::uint32_t Player::time_for(std::uint32_t timestamp) const {
  return static_cast<std::int32_t>(timestamp - base_) < 0 ? 0 : timestamp - base_;
}

void Player::write_header(Track track, MessageType type, std::string_view payload,
                          std::string& out) {
  const std::uint32_t time = stream_.log().time_before(track, next_);
  append_message(out, {type, chunk_stream(track), stream_id_, time_for(time), payload},
                 kOutChunkSize);
  // What follows in the log counts from the message before it, and so from this one. Data may be
  // far apart, and has a time of its own each.
  in_step_[index_of(track)] = track != Track::kData;
}

void Player::begin(std::uint64_t number, std::string& out, TimePoint now) {
  const StreamLog& log = stream_.log();
  next_ = number;
  offset_ = 0;
  playing_ = true;
  began_ = now;
  in_step_ = {};
  base_ = 0;
  if (stream_.jitter() != Jitter::kOff) {
    base_ = number < log.end() ? log.at(number).timestamp : log.last_time();
    for (const Track track : {Track::kAudio, Track::kVideo}) {
      if (!stream_.has_header(track)) continue;
      const std::uint32_t before = log.time_before(track, number);
      if (static_cast<std::int32_t>(before - base_) < 0) base_ = before;
    }
  }
  if (!stream_.metadata().empty()) {
    write_header(Track::kData, MessageType::kDataAmf0, stream_.metadata(), out);
  }
  for (const StreamHeader& header : stream_.headers()) {
    if (wanted_[index_of(header.track)]) {
      write_header(header.track, header.type, header.payload, out);
    }
  }
}

void Player::receive(Track track, bool wanted) {
  wanted_[index_of(track)] = wanted;
  if (!wanted) in_step_[index_of(track)] = false;
}

void Player::write_own(std::string& out, std::size_t limit) {
  const StreamLog& log = stream_.log();
  if (!playing_ || offset_ > 0) return;
  for (; next_ < log.end() && out.size() < limit; ++next_) {
    const LoggedMessage& message = log.at(next_);
    if (!wants(message)) continue;
    if (!needs_own(message)) return;
    // A clock that went back begins anew.
    if (message.absolute && stream_.jitter() == Jitter::kZero &&
        static_cast<std::int32_t>(message.timestamp - base_) < 0) {
      base_ = message.timestamp;
    }
    log.append_absolute(out, message, chunk_stream(message.track), stream_id_,
                        time_for(message.timestamp));
    in_step_[index_of(message.track)] = true;
  }
}

std::size_t Player::collect(std::vector<iovec>& slices, std::size_t room) const {
  const StreamLog& log = stream_.log();
  std::size_t total = 0;
  if (!playing_) return total;
  std::size_t offset = offset_;
  for (std::uint64_t number = next_; number < log.end(); ++number) {
    const LoggedMessage& message = log.at(number);
    if (offset == 0) {
      if (!wants(message)) continue;
      if (needs_own(message)) break;
    }
    const std::string_view bytes = log.chunks(message).substr(offset);
    offset = 0;
    iovec* last = slices.empty() ? nullptr : &slices.back();
    if (last != nullptr && static_cast<char*>(last->iov_base) + last->iov_len == bytes.data()) {
      last->iov_len += bytes.size();
    } else if (slices.size() < room) {
      slices.push_back({const_cast<char*>(bytes.data()), bytes.size()});
    } else {
      break;
    }
    total += bytes.size();
  }
  return total;
}

void Player::advance(std::size_t bytes) {
  const StreamLog& log = stream_.log();
  while (bytes > 0) {
    const LoggedMessage& message = log.at(next_);
    if (offset_ == 0 && !wants(message)) {
      ++next_;
      continue;
    }
    const std::size_t left = message.size - offset_;
    if (bytes < left) {
      offset_ += static_cast<std::uint32_t>(bytes);
      return;
    }
    bytes -= left;
    offset_ = 0;
    ++next_;
  }
}

void Player::finish_message(std::string& out) {
  if (offset_ == 0) return;
  const StreamLog& log = stream_.log();
  out += log.chunks(log.at(next_)).substr(offset_);
  offset_ = 0;
  ++next_;
}

bool Player::late(TimePoint now, Duration limit) const {
  const StreamLog& log = stream_.log();
  if (!playing_ || next_ >= log.end()) return false;
  return now - std::max(log.at(next_).arrived, began_) > limit;
}

void Player::drop(std::string& out, TimePoint now) {
  finish_message(out);
  const auto key_frame = stream_.log().key_frame();
  if (key_frame && *key_frame >= next_ && *key_frame < stream_.log().end()) {
    begin(*key_frame, out, now);
  } else {
    wait();
  }
}

}  // namespace mpb::rtmp
