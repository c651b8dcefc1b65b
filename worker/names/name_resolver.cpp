#include "worker/names/name_resolver.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "common/io/signals.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxThreads = 16;  // a name server that does not answer holds up one of them
constexpr std::size_t kMaxAddresses = 16;  // of a name

using Cause = NameCache::Cause;

/// The system's functions do not tell what they failed for.
bool has_descriptors() {
  return static_cast<bool>(UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
}

NameResolver::Looked system_look_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  NameResolver::Looked looked;
  if (const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list); error != 0) {
    looked.failure.why = error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error);
    if (error == EAI_MEMORY || !has_descriptors()) {
      looked.failure.cause = Cause::kOurs;
    } else if (error == EAI_NONAME) {
      looked.failure.cause = Cause::kFinal;
    }
    return looked;
  }
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    if (looked.addresses.size() == kMaxAddresses) break;
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    Endpoint endpoint;
    std::memcpy(&endpoint.address, at->ai_addr, at->ai_addrlen);
    endpoint.length = at->ai_addrlen;
    looked.addresses.push_back(endpoint);
  }
  ::freeaddrinfo(list);
  if (looked.addresses.empty()) looked.failure = {"it has no IP address", Cause::kFinal};
  return looked;
}

std::vector<Endpoint> with_port(std::vector<Endpoint> addresses, std::uint16_t port) {
  for (Endpoint& endpoint : addresses) {
    if (endpoint.family() == AF_INET) {
      reinterpret_cast<sockaddr_in*>(&endpoint.address)->sin_port = htons(port);
    } else {
      reinterpret_cast<sockaddr_in6*>(&endpoint.address)->sin6_port = htons(port);
    }
  }
  return addresses;
}

Error not_found(std::string_view name, std::string_view why, bool ours = false) {
  std::string text = fmt::format("cannot look up {}: {}", name, why);
  return ours ? limit_error(std::move(text)) : unavailable_error(std::move(text));
}

}  // namespace

/// What the loop's thread shares with the others, which may outlive the resolver.
struct NameResolver::Shared {
  struct Task {
    std::string name;
    LookUp look_up;
  };

  UniqueFd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task> tasks;
  std::set<std::string> not_begun;  // the names of those
  std::vector<std::pair<std::string, Looked>> results;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool ended = false;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      changed.wait(lock, [this] { return ended || !tasks.empty(); });
      --idle;
      if (ended) return;
      const Task task = std::move(tasks.front());
      tasks.pop_front();
      not_begun.erase(task.name);
      lock.unlock();
      Looked looked = task.look_up(task.name);
      lock.lock();
      if (ended) return;
      results.emplace_back(task.name, std::move(looked));
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t put = ::write(event.get(), &one, sizeof one);
    }
  }
};

NameResolver::NameResolver(WorkerEnvironment& environment)
    : loop_(environment.loop), look_up_(system_look_up) {}

NameResolver::~NameResolver() {
  for (const auto& [ticket, waiter] : waiters_) loop_.cancel(waiter.timer);
  if (!shared_) return;
  loop_.remove(watch_, shared_->event.get());
  const std::lock_guard lock(shared_->mutex);
  shared_->ended = true;
  shared_->changed.notify_all();
}

void NameResolver::look_up_by(LookUp look_up) {
  look_up_ = std::move(look_up);
}

std::optional<NameResolver::Found> NameResolver::find(const std::string& name, std::uint16_t port) {
  NameCache::Known known = cache_.ask(name, loop_.now());
  if (known.look_up) {
    if (const Status begun = begin(name); !begun) {
      learn(name, {{}, {begun.error().text, Cause::kOurs}});
      known = cache_.ask(name, loop_.now());
    }
  }
  switch (known.what) {
    case NameCache::Known::What::kAddresses:
      return Found(with_port(*known.addresses, port));
    case NameCache::Known::What::kNone:
      return Found(not_found(name, known.why, known.ours));
    case NameCache::Known::What::kNotYet:
      break;
  }
  return std::nullopt;
}

std::uint64_t NameResolver::wait(const std::string& name, std::uint16_t port, Duration limit,
                                 Done done) {
  const std::uint64_t ticket = ++last_ticket_;
  Waiter& waiter = waiters_[ticket];
  waiter = {name, port, std::move(done), {}};
  waiter.timer = loop_.after(limit, [this, ticket, limit] { expire(ticket, limit); });
  return ticket;
}

void NameResolver::cancel(std::uint64_t ticket) {
  const auto node = waiters_.extract(ticket);
  if (node) loop_.cancel(node.mapped().timer);
}

void NameResolver::expire(std::uint64_t ticket, Duration limit) {
  const auto node = waiters_.extract(ticket);
  const Waiter& waiter = node.mapped();
  const bool ours = waits_for_a_thread(waiter.name);
  waiter.done(not_found(waiter.name,
                        fmt::format("no {} within {}", ours ? "thread to look it up in" : "answer",
                                    format_duration(limit)),
                        ours));
}

bool NameResolver::waits_for_a_thread(const std::string& name) {
  if (!shared_) return false;
  const std::lock_guard lock(shared_->mutex);
  return shared_->not_begun.contains(name);
}

Status NameResolver::begin(const std::string& name) {
  if (!shared_) {
    auto shared = std::make_shared<Shared>();
    if (!shared->event) return system_error("eventfd");
    const Result<Watch> watch = loop_.add(shared->event.get(), EPOLLIN, *this);
    if (!watch) return watch.error();
    watch_ = *watch;
    shared_ = std::move(shared);
  }
  if (const Status started = start_thread(); !started) return started;
  const std::lock_guard lock(shared_->mutex);
  shared_->tasks.push_back({name, look_up_});
  shared_->not_begun.insert(name);
  shared_->changed.notify_one();
  return {};
}

/// Unless one has nothing to do, or there are enough.
Status NameResolver::start_thread() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->idle > shared_->tasks.size() || shared_->threads == kMaxThreads) return {};
  try {
    const AllSignalsBlocked in_the_thread;
    std::thread([shared = shared_] { shared->run(); }).detach();
    ++shared_->threads;
  } catch (const std::system_error& error) {
    if (shared_->threads == 0) {
      return unavailable_error(fmt::format("no thread to look it up in: {}", error.what()));
    }
  }
  return {};
}

void NameResolver::on_events(std::uint32_t) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(shared_->event.get(), &count, sizeof count);
  std::vector<std::pair<std::string, Looked>> results;
  {
    const std::lock_guard lock(shared_->mutex);
    results = std::exchange(shared_->results, {});
  }
  for (auto& [name, looked] : results) {
    std::vector<std::uint64_t> tickets;
    for (const auto& [ticket, waiter] : waiters_) {
      if (waiter.name == name) tickets.push_back(ticket);
    }
    learn(name, std::move(looked));
    for (const std::uint64_t ticket : tickets) {
      const auto node = waiters_.extract(ticket);  // a done before may have cancelled it
      if (!node) continue;
      loop_.cancel(node.mapped().timer);
      const auto found = find(name, node.mapped().port);
      node.mapped().done(found.value_or(Found(not_found(name, "it is looked up anew"))));
    }
  }
}

/// Lines are bounded: a failure holds for some seconds, and only a change is told.
void NameResolver::learn(const std::string& name, Looked looked) {
  NameCache::News news{};
  if (!looked.addresses.empty()) {
    news = cache_.found(name, std::move(looked.addresses), loop_.now());
  } else {
    news = cache_.failed(name, looked.failure.why, looked.failure.cause, loop_.now());
  }
  if (news == NameCache::News::kFails) {
    log_warning("name.failed")("name", name)("why", looked.failure.why);
  } else if (news == NameCache::News::kIsBack) {
    log_info("name.back")("name", name);
  }
}

}  // namespace mpb
