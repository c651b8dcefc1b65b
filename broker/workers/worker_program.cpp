#include "broker/workers/worker_program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "broker/workers/worker_environment.hpp"
#include "common/process/program.hpp"

namespace mpb {
namespace {

Status may_run_as(const Credentials& account) {
  if (!may_assume(account)) {
    return usage_error(
        "user or group: only root, or who has CAP_SETUID and CAP_SETGID, can start workers as "
        "somebody else: leave them out, or start mpbroker so");
  }
  if (!may_kill(account)) {
    return usage_error("user: without CAP_KILL mpbroker cannot end workers of another user");
  }
  return {};
}

}  // namespace

Result<ChildOptions> worker_program(const Settings& settings) {
  ChildOptions program;
  program.program = settings.worker_program;
  if (program.program.empty()) {
    auto found = find_program("mpworker");
    if (!found) return found.error();
    program.program = *std::move(found);
  }
  program.environment = worker_environment(environ, settings.worker_environment);
  program.environment.emplace_back("MPBROKER_CHANNEL=3");
  program.environment.push_back(
      fmt::format("MPBROKER_LOG_LEVEL={}", to_string(settings.log_level)));
  program.environment.push_back(
      fmt::format("MPBROKER_SANDBOX={}", settings.sandbox == Sandbox::kStrict ? "strict" : "no"));
  if (settings.sandbox == Sandbox::kStrict) {
    auto confinement = Confinement::get();
    if (!confinement) return confinement.error();
    program.confinement = *std::move(confinement);
  }
  program.holds_requests = settings.worker_program.empty();
  program.begins_descent = true;
  return program;
}

Result<WorkerAccounts> worker_accounts(const Settings& settings) {
  auto accounts = WorkerAccounts::find(settings.user, settings.group, settings.worker_limit());
  if (!accounts) {
    return usage_error(fmt::format("user = {}: {}", settings.user, accounts.error().text));
  }
  const auto first = accounts->of(0);
  if (!first) return accounts;
  if (const Status may = may_run_as(*first); !may) return may.error();
  return accounts;
}

Result<Credentials> cell_account(const CellSettings& cell) {
  auto account = find_credentials(cell.user, cell.group);
  if (!account) return account;
  if (const Status may = may_run_as(*account); !may) return may.error();
  return account;
}

}  // namespace mpb
