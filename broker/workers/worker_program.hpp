// How workers are run, and as whom: what the settings say of it.
#pragma once

#include "common/base/error.hpp"
#include "common/config/settings.hpp"
#include "common/process/child.hpp"
#include "common/process/worker_accounts.hpp"

namespace mpb {

/// An error: they cannot be run so.
Result<ChildOptions> worker_program(const Settings& settings);
Result<WorkerAccounts> worker_accounts(const Settings& settings);
/// Of a cell that has a user of its own.
Result<Credentials> cell_account(const CellSettings& cell);

}  // namespace mpb
