#include "worker/tables/worker_tables.hpp"

#include <algorithm>
#include <utility>

namespace mpb {
namespace {

/// The texts of an operation, which are views, for later.
struct KeptOperation {
  explicit KeptOperation(const channel::TableOperation& of)
      : operation(of), table(of.table), key(of.key), value(of.value) {}
  [[nodiscard]] channel::TableOperation get() const {
    channel::TableOperation whole = operation;
    whole.table = table;
    whole.key = key;
    whole.value = value;
    return whole;
  }

  channel::TableOperation operation;
  std::string table;
  std::string key;
  std::string value;
};

}  // namespace

WorkerTables::WorkerTables(EventLoop& loop)
    : loop_(loop), ask_([this](const channel::TableOperation& operation, TableDone done) {
        ask(operation, std::move(done));
      }) {
  addresses_.follow(*this);
}

LocalTable& WorkerTables::table(std::string_view name) {
  const auto found = tables_.find(name);
  if (found != tables_.end()) return found->second;
  return tables_.try_emplace(std::string(name), std::string(name), ask_).first->second;
}

SharedMap& WorkerTables::map(std::string_view name) {
  LocalTable& known = table(name);
  known.used = true;
  return known;
}

void WorkerTables::serve_alone() {
  store_ =
      std::make_unique<TableStore>([this](const channel::TableChange& change) { apply(change); });
}

void WorkerTables::join_broker(OperationQueue::Send send) {
  queue_.set_send(std::move(send));
}

void WorkerTables::begin() {
  begun_ = true;
  queue_.open(window_);
}

void WorkerTables::drop_callbacks() {
  queue_.drop_callbacks();
  asked_.clear();
}

void WorkerTables::ask(const channel::TableOperation& operation, TableDone done) {
  if (!store_) {
    queue_.add(operation, std::move(done));
    return tell_soon();
  }
  asked_.emplace_back([this, kept = KeptOperation(operation), done = std::move(done)] {
    const TableResult result = store_->apply(kept.get(), loop_.now());
    if (done) done(result);
  });
  loop_.skip_wait();
}

void WorkerTables::on_resync() {
  fresh_.clear();
  queue_.suspend();
  tell_soon();
}

void WorkerTables::abandon() {
  queue_.close();
  tell_soon();
}

/// The end of this turn may have been: the next one tells what has ended.
void WorkerTables::tell_soon() {
  if (queue_.has_ended()) loop_.skip_wait();
}

void WorkerTables::on_tables(const channel::Tables& part) {
  if ((part.flags & channel::Tables::kFirst) != 0) fresh_.clear();
  std::string_view rest = part.changes;
  channel::TableChange change;
  while (channel::next_change(rest, change)) {
    auto table = fresh_.find(change.table);
    if (table == fresh_.end()) table = fresh_.try_emplace(std::string(change.table)).first;
    table->second.insert_or_assign(std::string(change.key),
                                   LocalTable::Entry{std::string(change.value), change.version});
  }
  if ((part.flags & channel::Tables::kLast) == 0) return;
  window_ = part.window;
  replace_all(part.version);
  if (begun_) queue_.open(window_);
}

void WorkerTables::replace_all(std::uint64_t version) {
  version_ = version;
  Fresh fresh = std::exchange(fresh_, {});
  for (auto& [name, entries] : fresh) table(name);
  for (auto& [name, table] : tables_) {
    const auto found = fresh.find(name);
    table.replace(found == fresh.end() ? LocalTable::Entries() : std::move(found->second), version);
  }
  std::erase_if(tables_,
                [](const auto& named) { return named.second.size() == 0 && !named.second.used; });
}

void WorkerTables::on_changes(const channel::TableChanges& message) {
  std::string_view rest = message.changes;
  channel::TableChange change;
  while (channel::next_change(rest, change)) {
    if (change.version > version_) apply(change);
  }
}

void WorkerTables::apply(const channel::TableChange& change) {
  version_ = change.version;
  LocalTable& changed = table(change.table);
  changed.apply(change);
  // Names are others' choice: what is left of them must not grow.
  if (change.erased && changed.size() == 0 && !changed.used) {
    tables_.erase(tables_.find(change.table));
  }
}

void WorkerTables::end_turn() {
  queue_.tell_ended();
  tell_soon();
  if (!store_) return;
  store_->expire(loop_.now());
  for (const auto& operation : std::exchange(asked_, {})) operation();
  if (const auto next = store_->next_expiry()) expiry_.by(*next);
}

}  // namespace mpb
