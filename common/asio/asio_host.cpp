#include "common/asio/asio_host.hpp"

#include <sys/epoll.h>

#include <exception>
#include <stdexcept>
#include <utility>

#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/scheduler.hpp>

#include "common/log/log.hpp"

namespace mpb {
namespace {

using boost::asio::detail::epoll_reactor;
using boost::asio::detail::scheduler;

constexpr RateLimit kLines{3, Duration{60'000}};

// Asio shows none of these. An explicit instantiation may name private members ([temp.spec]/6), and
// one that another release of Boost does not have fails to compile.
template <class Tag, auto Member>
struct Reveal {
  friend constexpr auto member(Tag) { return Member; }
};
struct EpollOf {
  friend constexpr auto member(EpollOf);
};
struct TimerOf {
  friend constexpr auto member(TimerOf);
};
struct MutexOf {
  friend constexpr auto member(MutexOf);
};
struct QueueOf {
  friend constexpr auto member(QueueOf);
};
struct InterruptedOf {
  friend constexpr auto member(InterruptedOf);
};
template struct Reveal<EpollOf, &epoll_reactor::epoll_fd_>;
template struct Reveal<TimerOf, &epoll_reactor::timer_fd_>;
template struct Reveal<MutexOf, &scheduler::mutex_>;
template struct Reveal<QueueOf, &scheduler::op_queue_>;
template struct Reveal<InterruptedOf, &scheduler::task_interrupted_>;

int epoll_of(boost::asio::io_context& context) {
  return boost::asio::use_service<epoll_reactor>(context).*member(EpollOf{});
}

}  // namespace

AsioHost::AsioHost(EventLoop& loop)
    : loop_(loop),
      context_(1),  // one thread runs it; others may post
      work_(context_.get_executor()),
      self_(std::make_shared<AsioHost*>(this)) {
  boost::asio::use_service<scheduler>(context_).init_task();
  // Without it, Asio would give its timeouts to a call that waits, and it has none here.
  const auto& reactor = boost::asio::use_service<epoll_reactor>(context_);
  if (reactor.*member(TimerOf{}) < 0) throw std::runtime_error("no descriptor for Asio's timers");
  has_posts();
  loop.at_turn_end([alive = std::weak_ptr(self_)] {
    if (const auto self = alive.lock()) (*self)->poll();
  });
  // Last: nothing may throw once the loop knows this object.
  const auto watch = loop.add(epoll_of(context_), EPOLLIN, *this);
  if (!watch) throw std::runtime_error(watch.error().text);
  watch_ = *watch;
}

AsioHost::~AsioHost() {
  loop_.remove(watch_, epoll_of(context_));
}

void AsioHost::poll() {
  if (!std::exchange(due_, false) && !has_posts()) return;
  int left = kHandlersPerTurn;
  while (left > 0 && run_one()) --left;
  due_ = left == 0 || has_posts();
  // Other hooks of the turn may have run before: what handlers have done is theirs in the next.
  if (due_ || left < kHandlersPerTurn) loop_.skip_wait();
}

bool AsioHost::run_one() {
  context_.restart();  // should a handler have stopped it
  try {
    return context_.poll_one() > 0;
  } catch (const std::exception& error) {
    log_failure(error.what());
  } catch (...) {
    log_failure("it threw what is no std::exception");
  }
  return true;
}

void AsioHost::log_failure(const char* why) {
  if (!failures_.ready(loop_.now(), kLines)) return failures_.hold_back();
  log_error("asio.failed")("untold", failures_.take(loop_.now(), kLines))("why", why);
}

/// Asio interrupts its reactor only when it believes a thread to sleep there. Ours sleeps in the
/// loop's set, of which the reactor's is a part.
bool AsioHost::has_posts() {
  auto& asio = boost::asio::use_service<scheduler>(context_);
  auto& queue = asio.*member(QueueOf{});
  const boost::asio::detail::conditionally_enabled_mutex::scoped_lock lock(asio.*member(MutexOf{}));
  asio.*member(InterruptedOf{}) = false;
  // The reactor is always in the queue.
  using Access = boost::asio::detail::op_queue_access;
  return Access::front(queue) != Access::back(queue);
}

}  // namespace mpb
