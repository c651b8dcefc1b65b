// Session: the memory that is held for a client, and what becomes of it where there is none.
#include <new>

#include "worker/clients/session.hpp"
#include "worker/service.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {

void Session::note_memory(std::size_t bytes) {
  handler_bytes_ = bytes;
  account_memory();
}

std::size_t Session::memory() const {
  const std::size_t findings = so_far_.findings ? so_far_.findings->memory() : 0;
  return input_.capacity() + output_.capacity() + state_on_the_move_.capacity() +
         wanted_.capacity() + findings + handler_bytes_;
}

void Session::account_memory() {
  const std::size_t bytes = state_ == State::kFree ? 0 : memory();
  worker_->environment->memory.change(accounted_, bytes);
  accounted_ = bytes;
}

MemoryShare Session::memory_share() {
  Notice notice;
  if (service_->handler && state_ == State::kServing) service_->handler->describe(client_, notice);
  MemoryShare share;
  share.vhost = notice.vhost.empty() ? client_.key : notice.vhost;
  share.client = static_cast<const Connection*>(this);
  share.bytes = accounted_;
  share.item = this;
  return share;
}

void Session::close_for_memory() {
  if (state_ == State::kFree) return;
  try {
    tell_refused(Reason::kMediaMemory, client_.key);
    if (service_->handler) service_->handler->on_shortage(client_);
  } catch (const std::bad_alloc&) {
    // Then nobody is told.
  }
  close();
}

}  // namespace mpb
