#include "proto/rtmp/classifier.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"
#include "proto/rtmp/prefix.hpp"

namespace mpb::rtmp {
namespace {

using Kind = Verdict::Kind;

/// What of the client's bytes is behind us.
enum Stage : std::uint8_t {
  kNothing,
  kProxyProtocol,  // a PROXY prefix
  kRealIp,         // a 0xF3 prefix
  kHello,          // C0C1, and they were answered
};

/// Clients send one or two. Each call reads them all again, so there may not be many.
constexpr int kMaxMessagesBeforeConnect = 16;
constexpr char kAddressTag = 'A';          // of a Verdict's state: the client's address follows
constexpr double kConnectTransaction = 1;  // of a client whose connect cannot be read

bool is_media(MessageType type) {
  return type == MessageType::kAudio || type == MessageType::kVideo ||
         type == MessageType::kAggregate;
}

Verdict rejected(std::string_view description, double transaction = kConnectTransaction,
                 Reason reason = Reason::kProtocol) {
  Verdict verdict{Kind::kReject};
  verdict.reason = reason;
  append_connect_rejected(verdict.reply, transaction, description);
  return verdict;
}

/// The verdict on a prefix that is not absent.
Verdict on_prefix(const ProxyPrefix& prefix, Stage next) {
  switch (prefix.kind) {
    case ProxyPrefix::Kind::kNeedMore:
      return {Kind::kNeedMore};
    case ProxyPrefix::Kind::kFound:
      break;
    default:
      return {Kind::kReject};
  }
  Verdict verdict{Kind::kReply};
  verdict.consumed = prefix.size;
  verdict.stage = next;
  verdict.prefixed = true;
  if (!prefix.address.empty()) verdict.state = kAddressTag + prefix.address;
  return verdict;
}

/// The length of the message that begins at the front of `bytes`, as far as its header is there and
/// tells one; else 0.
std::size_t message_length(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto byte = [&](std::size_t index) -> std::size_t {
    return static_cast<unsigned char>(bytes[index]);
  };
  const std::size_t format = byte(0) >> 6;
  const std::size_t id = byte(0) & 0x3f;
  const std::size_t basic = id == 0 ? 2 : id == 1 ? 3 : 1;
  constexpr std::size_t kTimestamp = 3;
  if (format > 1 || bytes.size() < basic + kTimestamp + 3) return 0;
  const std::size_t at = basic + kTimestamp;
  return byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
}

Verdict on_opening(const Command& command, const ClassifierOptions& options) {
  if (command.name != "connect") return rejected("the first command must be connect");
  const std::optional<ConnectTarget> target = read_connect(command);
  if (!target) {
    return rejected("connect names no app, or an app or vhost that cannot be", command.transaction,
                    Reason::kName);
  }
  std::string vhost = options.resolve ? options.resolve(target->vhost) : target->vhost;
  if (vhost.empty() && target->names_vhost) {
    Verdict verdict = rejected("vhost " + target->vhost + " is not served here",
                               target->transaction, Reason::kVhost);
    verdict.key = target->vhost;
    return verdict;
  }
  // A stream's name may still name a vhost.
  if (vhost.empty() || options.granularity == KeyGranularity::kStream) return {Kind::kLocal};
  Verdict verdict{Kind::kRoute};
  verdict.key = std::move(vhost);
  return verdict;
}

/// `bytes`: from C2 on.
Verdict on_commands(std::string_view bytes, const ClassifierOptions& options) {
  if (bytes.size() < kHandshakeBlock) return {Kind::kNeedMore};
  const std::string_view behind = bytes.substr(kHandshakeBlock, kMaxBeforeConnect);
  std::string_view rest = behind;
  ChunkReader reader(kMaxBeforeConnect);
  for (int count = 0; count < kMaxMessagesBeforeConnect; ++count) {
    Message message;
    // A long connect that comes in small pieces is not put together again for each of them.
    const std::size_t length = reader.has_partial() ? 0 : message_length(rest);
    const bool cut_short = length > rest.size() && length <= kMaxBeforeConnect;
    const auto result = cut_short ? ChunkReader::Result::kNeedMore : reader.read(rest, message);
    if (result == ChunkReader::Result::kError) return {Kind::kReject};
    if (result == ChunkReader::Result::kNeedMore) {
      if (behind.size() < kMaxBeforeConnect) return {Kind::kNeedMore};
      return rejected("connect is too long");
    }
    if (is_media(message.type)) return rejected("media came before connect");
    const std::optional<Command> command = read_command(message);
    if (command && ends_opening(command->name)) return on_opening(*command, options);
  }
  return rejected("too many messages before connect");
}

}  // namespace

Classifier::Classifier(ClassifierOptions options, std::uint64_t seed)
    : options_(std::move(options)), random_(seed) {}

Verdict Classifier::classify(std::string_view bytes, std::uint8_t stage) const {
  if (bytes.empty()) return {Kind::kNeedMore};
  if (stage == kHello) return on_commands(bytes, options_);
  if (options_.proxy_protocol && stage == kNothing) {
    return on_prefix(read_proxy_protocol(bytes), kProxyProtocol);
  }
  if (options_.srs_real_ip && stage != kRealIp) {
    const ProxyPrefix prefix = read_srs_real_ip(bytes);
    if (prefix.kind != ProxyPrefix::Kind::kNone) return on_prefix(prefix, kRealIp);
  }
  if (static_cast<std::uint8_t>(bytes.front()) != kVersion) return {Kind::kReject};
  if (bytes.size() < kHelloSize) return {Kind::kNeedMore};
  Verdict verdict{Kind::kReply};
  verdict.reply = answer_hello(bytes.substr(0, kHelloSize), random_);
  verdict.consumed = kHelloSize;
  verdict.stage = kHello;
  return verdict;
}

void Classifier::describe(std::string_view key, std::string_view state, Notice& notice) const {
  if (state.starts_with(kAddressTag)) notice.address = state.substr(1);
  notice.action = Notice::Action::kConnect;
  notice.vhost = key.substr(0, key.find('/'));
}

std::string_view Classifier::busy_reply() const {
  static const std::string kReply = rejected(kServerFull).reply;
  return kReply;
}

std::string_view Classifier::source_reply() const {
  static const std::string kReply = rejected(kSourceFull).reply;
  return kReply;
}

}  // namespace mpb::rtmp
