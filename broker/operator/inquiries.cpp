#include "broker/operator/inquiries.hpp"

#include <utility>

namespace mpb {
namespace {

constexpr std::size_t kMaxPending = 64;  // questions that wait for their turn

}  // namespace

Inquiries::Inquiries(EventLoop& loop, std::uint64_t first_nonce, Ask ask, Duration limit)
    : loop_(loop), nonce_(first_nonce), ask_(std::move(ask)), limit_(limit) {}

Inquiries::~Inquiries() {
  if (current_) loop_.cancel(current_->timer);
}

bool Inquiries::ask(std::string question, std::string argument, Done done) {
  if (pending_.size() >= kMaxPending) return false;
  pending_.push_back({std::move(question), std::move(argument), std::move(done)});
  ask_next();
  return true;
}

void Inquiries::ask_next() {
  while (!current_ && !pending_.empty()) {
    Pending next = std::move(pending_.front());
    pending_.pop_front();
    begin(std::move(next));
  }
}

void Inquiries::begin(Pending pending) {
  current_.emplace(Current{
      nonce_++, std::move(pending.done), make_inquiry(pending.question, pending.argument), {}});
  ask_({current_->nonce, pending.question, pending.argument}, *current_->inquiry);
  if (current_->inquiry->complete()) return finish();
  current_->timer = loop_.after(limit_, [this] {
    current_->inquiry->give_up_all();
    finish();
    ask_next();
  });
}

/// `done` may ask the next question.
void Inquiries::finish() {
  loop_.cancel(current_->timer);
  Current finished = std::move(*current_);
  current_.reset();
  finished.done(finished.inquiry->report());
}

void Inquiries::on_answer(Slot slot, const channel::Answer& piece) {
  if (!current_ || piece.nonce != current_->nonce) return;  // it came too late
  current_->inquiry->on_answer(slot, piece);
  if (!current_->inquiry->complete()) return;
  finish();
  ask_next();
}

void Inquiries::on_gone(Slot slot) {
  if (!current_ || !current_->inquiry->expects(slot)) return;
  current_->inquiry->give_up(slot);
  if (!current_->inquiry->complete()) return;
  finish();
  ask_next();
}

}  // namespace mpb
