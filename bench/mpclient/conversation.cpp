#include "bench/mpclient/conversation.hpp"

namespace mpb::load {

Request Conversation::begin(std::int32_t id, const Script& script) {
  id_ = id;
  who_.reset();
  messages_left_ = script.messages;
  dispatching_ = true;
  greeting_due_ = true;
  who_due_ = script.ask_who;
  return who_due_ ? Request::kDispatchWho : Request::kDispatch;
}

std::optional<Request> Conversation::next(const Script& script) {
  if (messages_left_ == 0) return std::nullopt;
  --messages_left_;
  message();
  who_due_ = script.ask_who && messages_left_ == 0;
  return who_due_ ? Request::kMessageWho : Request::kMessage;
}

Request Conversation::message() {
  dispatching_ = false;
  greeting_due_ = true;
  return Request::kMessage;
}

Conversation::Reaction Conversation::on_answer(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kGreeting:
      return on_greeting();
    case Answer::Kind::kWho:
      return on_who(answer.who);
    case Answer::Kind::kBusy:
      return dispatching_ && greeting_due_ ? Reaction::kBusy : Reaction::kUnexpected;
    case Answer::Kind::kOther:
      break;
  }
  return Reaction::kUnexpected;
}

Conversation::Reaction Conversation::on_greeting() {
  if (!greeting_due_) return Reaction::kUnexpected;
  greeting_due_ = false;
  return dispatching_ ? Reaction::kDispatched : Reaction::kMessage;
}

Conversation::Reaction Conversation::on_who(const Who& who) {
  if (greeting_due_ || !who_due_) return Reaction::kUnexpected;
  who_due_ = false;
  if (who.id != id_) return Reaction::kWrongId;
  if (who_ && who_->worker != who.worker) return Reaction::kOtherWorker;
  who_ = who;
  return Reaction::kTold;
}

}  // namespace mpb::load
