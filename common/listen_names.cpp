#include "common/listen_names.hpp"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "common/host_name.hpp"
#include "common/units.hpp"
#include "common/signals.hpp"

namespace mpb {
namespace {

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
  return colon != std::string_view::npos && is_host_name(text.substr(0, colon)) &&
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
