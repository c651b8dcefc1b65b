#include "worker/rtmp/access/access.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "common/config/network.hpp"
#include "proto/rtmp/ip_address.hpp"
#include "proto/rtmp/location.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::string_view kWrongAddress = "access from this address is not allowed";
constexpr std::string_view kWrongKey = "the stream key is missing or wrong (stream?key=KEY)";
constexpr std::string_view kNoToken =
    "the token is missing or malformed (stream?expires=UNIX_SECONDS&token=HEX)";
constexpr std::string_view kWrongToken = "the token is not one of this stream";
constexpr std::string_view kExpired = "the token has expired";

bool address_allowed(const AccessRules& rules, std::string_view text) {
  if (rules.allow.empty() && rules.deny.empty()) return true;
  std::optional<IpBytes> address;  // none: a client of a unix socket
  if (!text.empty() && !text.starts_with("unix:")) {
    const std::optional<IpEndpoint> endpoint = parse_endpoint(text);
    if (!endpoint) return false;
    const IpAddress mapped = as_v6(endpoint->address);
    std::ranges::copy(mapped.bytes, address.emplace().begin());
  }
  if (contains(rules.deny, address)) return false;
  return rules.allow.empty() || contains(rules.allow, address);
}

/// Of digests, so that neither equal bytes nor equal lengths can be told from the time it takes.
bool same_secret(std::string_view left, std::string_view right) {
  using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;
  const auto digest = [](std::string_view text) {
    Digest bytes{};
    ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes.data());
    return bytes;
  };
  const Digest a = digest(left);
  const Digest b = digest(right);
  return ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::int64_t> read_seconds(std::string_view text) {
  std::int64_t seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc{} || stop != end || seconds < 0) return std::nullopt;
  return seconds;
}

Reason check_token(const AccessRules& rules, const AccessRequest& request) {
  const auto expires = find_parameter(request.parameters, "expires");
  const auto token = find_parameter(request.parameters, "token");
  if (!expires || !token) return Reason::kTokenMissing;
  const std::optional<std::int64_t> last_second = read_seconds(*expires);
  if (!last_second) return Reason::kTokenMissing;
  const std::string wanted =
      make_token(rules.secret, request.right, request.vhost, request.app, request.stream, *expires);
  if (!same_secret(wanted, *token)) return Reason::kTokenWrong;
  return request.unix_seconds > *last_second ? Reason::kTokenExpired : Reason::kNone;
}

}  // namespace

Reason check_access(const AccessRules& rules, const AccessRequest& request) {
  if (!address_allowed(rules, request.address)) return Reason::kAddress;
  if (!rules.key.empty()) {
    const auto key = find_parameter(request.parameters, "key");
    if (!key || !same_secret(rules.key, *key)) return Reason::kKey;
  }
  if (!rules.secret.empty()) return check_token(rules, request);
  return Reason::kNone;
}

std::string_view access_text(Reason reason) {
  switch (reason) {
    case Reason::kAddress:
      return kWrongAddress;
    case Reason::kKey:
      return kWrongKey;
    case Reason::kTokenMissing:
      return kNoToken;
    case Reason::kTokenWrong:
      return kWrongToken;
    case Reason::kTokenExpired:
      return kExpired;
    default:
      return {};
  }
}

std::string make_token(std::string_view secret, Right right, std::string_view vhost,
                       std::string_view app, std::string_view stream, std::string_view expires) {
  const std::string text = fmt::format(
      "{}:{}/{}/{}:{}", right == Right::kPublish ? "publish" : "play", vhost, app, stream, expires);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), nullptr);
  std::string token;
  for (const unsigned char byte : digest) token += fmt::format("{:02x}", byte);
  return token;
}

}  // namespace mpb::rtmp
