#include "common/config/listen_names.hpp"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "common/base/units.hpp"
#include "common/config/option_values.hpp"
#include "common/io/host_name.hpp"
#include "common/io/signals.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxHost = 253;

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > kMaxHost || host.front() == '.' || host.front() == '-') {
    return false;
  }
  const bool allowed = std::all_of(host.begin(), host.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_';
  });
  // What ends in a number is a mistyped address.
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return allowed &&
         !std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

using Lookups = std::vector<std::vector<Endpoint>>;

Result<Lookups> look_up(const std::vector<ListenerSettings>& listeners) {
  Lookups found;
  for (const ListenerSettings& listener : listeners) {
    auto endpoints = resolve_listen_name(listener.listen);
    if (!endpoints) {
      Error error = endpoints.error();
      error.text =
          fmt::format("listener '{}': listen = {}: {}", listener.name, listener.listen, error.text);
      return error;
    }
    found.push_back(*std::move(endpoints));
  }
  return found;
}

}  // namespace

bool is_listen_name(std::string_view text) {
  const auto colon = text.rfind(':');
  return colon != std::string_view::npos && is_host(text.substr(0, colon)) &&
         parse_integer(text.substr(colon + 1), 0, 65535).has_value();
}

Result<std::vector<Endpoint>> resolve_listen_name(std::string_view text) {
  const auto colon = text.rfind(':');
  const std::string host(text.substr(0, colon));
  const std::string port(text.substr(colon + 1));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    const char* why = failed == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(failed);
    return with_help(
        unavailable_error(fmt::format("the host name '{}' cannot be resolved: {}", host, why)),
        "write the address itself, or see to it that /etc/hosts or DNS knows the name");
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> entries(found, &::freeaddrinfo);
  std::vector<Endpoint> endpoints;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Endpoint endpoint;
    std::memcpy(&endpoint.address, entry->ai_addr, entry->ai_addrlen);
    endpoint.length = entry->ai_addrlen;
    if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
      endpoints.push_back(endpoint);
    }
  }
  return endpoints;
}

Status resolve_listeners(std::vector<ListenerSettings>& listeners, Duration limit) {
  std::vector<ListenerSettings> named;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    if (!is_listen_name(listeners[i].listen)) continue;
    ListenerSettings& copy = named.emplace_back();
    copy.name = listeners[i].name;
    copy.listen = listeners[i].listen;
    places.push_back(i);
  }
  if (named.empty()) return {};
  // A thread that name servers keep waiting is left to itself.
  std::promise<Result<Lookups>> promise;
  std::future<Result<Lookups>> answer = promise.get_future();
  {
    const AllSignalsBlocked in_the_thread;
    std::thread([named, promise = std::move(promise)]() mutable {
      promise.set_value(look_up(named));
    }).detach();
  }
  if (answer.wait_for(limit) != std::future_status::ready) {
    return unavailable_error(fmt::format("listen = {}: no name server answers within {}",
                                         named.front().listen, format_duration(limit)));
  }
  auto found = answer.get();
  if (!found) return found.error();
  for (std::size_t i = 0; i < places.size(); ++i) {
    listeners[places[i]].endpoints = std::move((*found)[i]);
  }
  return {};
}

}  // namespace mpb
