// Session: the memory that is held for a client, and what becomes of it where there is none.
#include <new>

#include "worker/clients/session.hpp"
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {

void Session::note_memory(std::size_t bytes) {
  handler_bytes_ = bytes;
  account_memory();
}

void Session::account_memory() {
  if (state_ == State::kFree) return;
  const std::size_t findings = so_far_.findings ? so_far_.findings->memory() : 0;
  held_.account(output_.capacity() + findings + handler_bytes_);
}

MemoryShare Session::memory_share() {
  Notice notice;
  if (held_.listener->handler && state_ == State::kServing)
    held_.listener->handler->describe(client_, notice);
  MemoryShare share;
  share.vhost = notice.vhost.empty() ? client_.key : notice.vhost;
  share.client = static_cast<const Connection*>(this);
  share.bytes = held_.accounted;
  share.item = this;
  return share;
}

void Session::close_for_memory() {
  if (state_ == State::kFree) return;
  try {
    tell_refused(Reason::kMediaMemory, asked_for());
    if (has_handler()) held_.listener->handler->on_shortage(client_);
  } catch (const std::bad_alloc&) {
    // Then nobody is told.
  }
  close();
}

}  // namespace mpb
