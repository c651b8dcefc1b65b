#include "bench/mpclient/request.hpp"

namespace mpb::load {

RequestWriter::RequestWriter(std::size_t message_size) {
  message_.reserve(message_size + 3);
  message_ += 'M';
  message_.append(message_size, 'm');
  message_ += '\0';
  message_ += 'W';
}

std::string_view RequestWriter::bytes(Request request, std::int32_t id) {
  const std::string_view message(message_);
  switch (request) {
    case Request::kMessage:
      return message.substr(0, message.size() - 1);
    case Request::kMessageWho:
      return message;
    case Request::kDispatch:
    case Request::kDispatchWho:
      break;
  }
  const auto value = static_cast<std::uint32_t>(id);
  dispatch_[0] = 'C';
  for (unsigned i = 0; i < 4; ++i) {
    dispatch_[i + 1] = static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
  dispatch_[5] = 'W';
  return {dispatch_.data(), request == Request::kDispatch ? std::size_t{5} : std::size_t{6}};
}

}  // namespace mpb::load
