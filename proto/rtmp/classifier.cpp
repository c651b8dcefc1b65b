#include "proto/rtmp/classifier.hpp"

#include <cstddef>
#include <memory>
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

constexpr int kMaxMessagesBeforeConnect = 16;  // clients send one or two
constexpr char kAddressTag = 'A';              // of a Verdict's state: the client's address follows
constexpr double kConnectTransaction = 1;      // of a client whose connect cannot be read

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

/// What came behind the handshake, read once whatever the pieces.
struct Opening final : Findings {
  [[nodiscard]] std::size_t memory() const override { return sizeof *this + reader.memory(); }

  ChunkReader reader{kMaxBeforeConnect, kMaxPartialBeforeConnect};
  std::size_t read = kHandshakeBlock;  // bytes, from C2 on
  int messages = 0;
};

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
  verdict.key =
      options.granularity == KeyGranularity::kApp ? app_key(vhost, target->app) : std::move(vhost);
  return verdict;
}

/// `bytes`: from C2 on.
Verdict on_commands(std::string_view bytes, const ClassifierOptions& options,
                    Classification& so_far) {
  if (bytes.size() < kHandshakeBlock) return {Kind::kNeedMore};
  if (!so_far.findings) so_far.findings = std::make_unique<Opening>();
  auto& opening = static_cast<Opening&>(*so_far.findings);  // NOLINT(*-downcast): no other is there
  const std::string_view within = bytes.substr(0, kHandshakeBlock + kMaxBeforeConnect);
  while (opening.messages < kMaxMessagesBeforeConnect) {
    std::string_view rest = within.substr(opening.read);
    Message message;
    const ChunkReader::Result result = opening.reader.read(rest, message);
    opening.read = within.size() - rest.size();
    if (result == ChunkReader::Result::kError) return {Kind::kReject};
    if (result == ChunkReader::Result::kNeedMore) {
      if (within.size() < kHandshakeBlock + kMaxBeforeConnect) return {Kind::kNeedMore};
      return rejected("connect is too long");
    }
    ++opening.messages;
    if (is_media(message.type)) return rejected("media came before connect");
    const std::optional<Command> command = read_command(message);
    if (command && ends_opening(command->name)) return on_opening(*command, options);
  }
  return rejected("too many messages before connect");
}

}  // namespace

Classifier::Classifier(ClassifierOptions options, std::uint64_t seed)
    : options_(std::move(options)), random_(seed) {}

Verdict Classifier::classify(std::string_view bytes, Classification& so_far) const {
  if (bytes.empty()) return {Kind::kNeedMore};
  const std::uint8_t stage = so_far.stage;
  if (stage == kHello) return on_commands(bytes, options_, so_far);
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
