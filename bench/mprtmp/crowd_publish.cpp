#include <algorithm>

#include "bench/mprtmp/crowd.hpp"
#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr std::uint32_t kDataChunkStream = 5;
constexpr std::uint32_t kAudioChunkStream = 4;
constexpr std::uint32_t kVideoChunkStream = 6;
constexpr std::int64_t kNsPerMs = 1'000'000;

void append(std::string& out, rtmp::MessageType type, std::uint32_t stream, std::int64_t time_ns,
            std::string_view payload) {
  rtmp::Message message;
  message.type = type;
  message.chunk_stream = type == rtmp::MessageType::kVideo   ? kVideoChunkStream
                         : type == rtmp::MessageType::kAudio ? kAudioChunkStream
                                                             : kDataChunkStream;
  message.stream = stream;
  message.timestamp = static_cast<std::uint32_t>(time_ns / kNsPerMs);
  message.payload = payload;
  rtmp::append_message(out, message, rtmp::kOutChunkSize);
}

}  // namespace

/// Metadata and sequence headers; the first frames are due at once.
void Crowd::begin_publication(Client& client) {
  client.publisher = static_cast<std::uint32_t>(random_());
  const std::uint32_t stream = client.session.stream();
  rtmp::append_set_chunk_size(client.out, rtmp::kOutChunkSize);
  append(client.out, rtmp::MessageType::kDataAmf0, stream, 0, stream_->metadata());
  append(client.out, rtmp::MessageType::kVideo, stream, 0, stream_->video_header());
  if (stream_->has_audio()) {
    append(client.out, rtmp::MessageType::kAudio, stream, 0, SyntheticStream::audio_header());
  }
  client.publication_begun = Clock::now();
  client.publishing = true;
  set_due(client, next_frame(client));
}

void Crowd::send_due_frames(Client& client, TimePoint now) {
  for (TimePoint due = next_frame(client); due <= now; due = next_frame(client)) {
    tally_.send_lateness.record((now - due).count());
    const bool video = client.publication_begun +
                           std::chrono::nanoseconds(stream_->video_time_ns(client.next_video)) ==
                       due;
    append_frame(client, video, now);
  }
  set_due(client, next_frame(client));
  flush(client);
}

void Crowd::append_frame(Client& client, bool video, TimePoint now) {
  std::uint64_t& number = video ? client.next_video : client.next_audio;
  const FrameMark mark{client.stream, client.publisher, number,
                       std::chrono::nanoseconds(now.time_since_epoch()).count()};
  if (video) {
    append(client.out, rtmp::MessageType::kVideo, client.session.stream(),
           stream_->video_time_ns(number), stream_->video_frame(mark));
    ++tally_.total.video_sent;
  } else {
    append(client.out, rtmp::MessageType::kAudio, client.session.stream(),
           SyntheticStream::audio_time_ns(number), stream_->audio_frame(mark));
    ++tally_.total.audio_sent;
  }
  ++number;
}

TimePoint Crowd::next_frame(const Client& client) const {
  std::int64_t due = stream_->video_time_ns(client.next_video);
  if (stream_->has_audio()) {
    due = std::min(due, SyntheticStream::audio_time_ns(client.next_audio));
  }
  return client.publication_begun + std::chrono::nanoseconds(due);
}

}  // namespace mpb::rtmp_load
