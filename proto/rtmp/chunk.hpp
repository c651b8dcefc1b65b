// The RTMP chunk stream: bytes to messages and back.
// Source: Adobe's RTMP Specification 1.0, 5.3 (chunking) and 5.4 (protocol control messages).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mpb::rtmp {

/// Message type ids.
enum class MessageType : std::uint8_t {
  kSetChunkSize = 1,
  kAbort = 2,
  kAcknowledgement = 3,
  kUserControl = 4,
  kWindowAckSize = 5,
  kSetPeerBandwidth = 6,
  kAudio = 8,
  kVideo = 9,
  kDataAmf3 = 15,
  kSharedObjectAmf3 = 16,
  kCommandAmf3 = 17,
  kDataAmf0 = 18,
  kSharedObjectAmf0 = 19,
  kCommandAmf0 = 20,
  kAggregate = 22,
};

struct Message {
  MessageType type = MessageType::kSetChunkSize;  // may hold a value that the enum does not name
  std::uint32_t chunk_stream = 0;
  std::uint32_t stream = 0;     // message stream id
  std::uint32_t timestamp = 0;  // ms, absolute, modulo 2^32
  std::string_view payload;     // see ChunkReader::read for how long it lives
};

inline constexpr std::uint32_t kDefaultChunkSize = 128;
inline constexpr std::uint32_t kMaxChunkSize = 16 * 1024 * 1024;
inline constexpr std::uint32_t kExtendedTimestamp = 0xffffff;
inline constexpr std::size_t kMaxPartialMessages = 64;
inline constexpr std::size_t kMaxChunkStreams = 256;  // with a header to remember

/// Takes messages out of a chunk stream. Keeps the headers and partial messages of every chunk
/// stream; Set Chunk Size and Abort are carried out and given to the caller too. Memory grows with
/// what has come, never with what a header claims. Every limit holds for the stream, however it is
/// cut into pieces; and what it costs is linear in the bytes, whatever the chunks.
class ChunkReader {
 public:
  /// `max_message`: a longer message is an error. All partial messages together may hold no more
  /// than 4 times that. `max_partial`: no more messages may have begun and not be whole.
  explicit ChunkReader(std::size_t max_message, std::size_t max_partial = kMaxPartialMessages)
      : max_message_(max_message), max_partial_(max_partial) {}

  enum class Result : std::uint8_t {
    kMessage,   // `message` is whole
    kNeedMore,  // everything usable was taken off `bytes`; what is left (part of a chunk header, at
                // most 18 bytes) must come again with more behind it
    kError,     // why() says what is wrong; the stream cannot go on
  };
  /// Takes bytes off the front of `bytes`. The payload of `message` points into `bytes` or into the
  /// reader, and lives until the next call.
  Result read(std::string_view& bytes, Message& message);
  [[nodiscard]] std::string_view why() const { return why_; }

  void set_max_message(std::size_t bytes) { max_message_ = bytes; }
  [[nodiscard]] std::uint32_t chunk_size() const { return chunk_size_; }
  /// True while some message has begun and is not whole.
  [[nodiscard]] bool has_partial() const { return partial_messages_ > 0 || chunk_left_ > 0; }
  /// Bytes of memory that are held for messages which are not whole.
  [[nodiscard]] std::size_t memory() const;

  /// The whole state, partial messages included, to go on elsewhere; and back. restore() is false,
  /// and changes nothing, for bytes that save() cannot have made: they are bounded and checked like
  /// a client's.
  void save(std::string& out) const;
  bool restore(std::string_view saved);

 private:
  struct ChunkStream {
    std::uint32_t id = 0;
    std::uint32_t timestamp = 0;  // of the message before, or of the one that is partial
    std::uint32_t delta = 0;      // the timestamp field of the last header that had one
    std::uint32_t length = 0;
    std::uint32_t stream = 0;
    std::uint8_t type = 0;
    bool extended = false;  // `delta` came as an extended timestamp: format 3 repeats it
    bool begun = false;     // a message is partial
    bool counted = false;   // it takes several chunks: see partial_messages_
    std::string partial{};
  };
  struct Header;

  Result begin_chunk(std::string_view& bytes);
  Result parse(std::string_view bytes, Header& header);
  Result fail(std::string_view why);
  bool accept(const Header& header);
  bool continues(ChunkStream& stream, const Header& header);
  bool account_chunk(ChunkStream& stream);
  Result finish_message(ChunkStream& stream, std::string_view payload, Message& message);
  bool carry_out(const Message& message);
  void drop_partial(std::uint32_t id);
  void recycle_whole();
  ChunkStream* find(std::uint32_t id);
  ChunkStream& add(std::uint32_t id);
  std::vector<std::uint8_t>::iterator place_of(std::uint32_t id);
  bool restore_stream(std::string_view& saved);

  std::size_t max_message_;
  std::size_t max_partial_;
  std::uint32_t chunk_size_ = kDefaultChunkSize;
  std::vector<ChunkStream> streams_;  // in the order in which they began
  std::vector<std::uint8_t> by_id_;   // the same in the order of their ids: indices in streams_
  std::size_t current_ = 0;           // in streams_: whose chunk is being read
  std::uint32_t chunk_left_ = 0;  // bytes of that chunk that are to come; 0: a header comes next
  // Of messages that take several chunks, so that a message in one chunk counts the same whether it
  // comes in one piece or not.
  std::size_t partial_messages_ = 0;
  std::size_t partial_bytes_ = 0;  // with the whole of the current chunk
  std::string whole_;              // the last message that was put together
  std::string spare_;              // empty: a buffer for the next partial message
  std::string_view why_;
};

/// Appends a message as chunks of at most `chunk_size` payload bytes, the first with a format 0
/// (absolute) header. 2 <= `message.chunk_stream` <= 65599.
void append_message(std::string& out, const Message& message, std::uint32_t chunk_size);

/// The same with a format 1 header: the message follows another one of its chunk stream, `delta` ms
/// after it (`message.timestamp` and `message.stream` are not used). delta < kExtendedTimestamp.
void append_delta_message(std::string& out, const Message& message, std::uint32_t delta,
                          std::uint32_t chunk_size);

/// The header alone that append_message() puts before the first chunk of a message whose payload is
/// `length` bytes long (message.payload is not used), and the one before each further chunk.
void append_first_header(std::string& out, const Message& message, std::size_t length);
void append_next_header(std::string& out, const Message& message);

/// Protocol control messages, whole (chunk stream 2, message stream 0) for any chunk size from 6
/// on.
void append_set_chunk_size(std::string& out, std::uint32_t bytes);
void append_window_ack_size(std::string& out, std::uint32_t bytes);
void append_set_peer_bandwidth(std::string& out, std::uint32_t bytes, std::uint8_t limit_type);
void append_acknowledgement(std::string& out, std::uint32_t bytes_received);
/// User control events (spec 7.1.7): 0 StreamBegin, 1 StreamEOF, 2 StreamDry, 4 StreamIsRecorded,
/// 6 PingRequest, 7 PingResponse.
inline constexpr std::uint16_t kStreamBegin = 0;
inline constexpr std::uint16_t kStreamEof = 1;
void append_user_control(std::string& out, std::uint16_t event, std::uint32_t value);

}  // namespace mpb::rtmp
