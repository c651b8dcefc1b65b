#include "common/process/worker_accounts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/keyed_map.hpp"
#include "common/base/units.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMostAccounts = 65'536;
constexpr std::int64_t kLastNumber = UINT32_MAX - 1;  // (uid_t)-1 stands for none
constexpr std::string_view kDots = "..";

Error range_error() {
  return usage_error(
      "expected the name or number of an account, or a range such as 60600..60663 or "
      "mpbroker-0..mpbroker-15");
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "mpbroker-15": the name before the number, and the number's digits.
std::pair<std::string_view, std::string_view> split_number(std::string_view text) {
  const auto last_letter = text.find_last_not_of("0123456789");
  const std::size_t at = last_letter == std::string_view::npos ? 0 : last_letter + 1;
  return {text.substr(0, at), text.substr(at)};
}

/// Where the range's two ends meet; nothing: it is none.
std::optional<std::pair<std::string_view, std::string_view>> ends_of(std::string_view text) {
  if (const auto dots = text.find(kDots); dots != std::string_view::npos) {
    return std::pair{text.substr(0, dots), text.substr(dots + kDots.size())};
  }
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::pair ends{text.substr(0, dash), text.substr(dash + 1)};
  if (!is_number(ends.first) || !is_number(ends.second)) return std::nullopt;
  return ends;
}

Error too_few(std::string_view what, std::size_t there, std::size_t slots) {
  return usage_error(
      fmt::format("expected {} {} at least, one for each worker there may be (max-workers): it has "
                  "{}",
                  slots, what, there));
}

/// Without a look at what accounts there are, a number names one.
Result<Credentials> account_at(const AccountRange& range, std::size_t slot) {
  if (!range.name.empty()) return find_credentials(range.at(slot), {});
  const auto number = static_cast<std::uint32_t>(range.first + slot);
  return Credentials{number, number};
}

Result<gid_t> group_at(const std::string& group, std::size_t slot) {
  if (!is_account_range(group)) {
    const auto found = find_credentials({}, group);
    if (!found) return found.error();
    return found->group;
  }
  const auto range = parse_account_range(group);
  if (!range) return range.error();
  if (range->name.empty()) return static_cast<gid_t>(range->first + slot);
  const auto found = find_credentials({}, range->at(slot));
  if (!found) return found.error();
  return found->group;
}

Result<std::vector<Credentials>> accounts_of_range(const std::string& user,
                                                   const std::string& group, std::size_t slots) {
  const auto range = parse_account_range(user);
  if (!range) return range.error();
  if (range->size() < slots) return too_few("accounts", range->size(), slots);
  if (is_account_range(group)) {
    const auto groups = parse_account_range(group);
    if (!groups) return groups.error();
    if (groups->size() < slots) return too_few("groups", groups->size(), slots);
  }
  std::vector<Credentials> accounts;
  KeyedSet<uid_t> seen;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    auto account = account_at(*range, slot);
    if (!account) return account.error();
    if (!group.empty()) {
      const auto own = group_at(group, slot);
      if (!own) return own.error();
      account->group = *own;
    }
    const char* wrong = nullptr;
    if (account->user == ::geteuid()) wrong = "mpbroker's own account is among them";
    if (account->user == 0 || account->group == 0) wrong = "root, or root's group, is among them";
    if (!seen.insert(account->user).second) wrong = "two of its names are the same account";
    if (wrong != nullptr) {
      return usage_error(fmt::format("expected accounts of the workers alone: {}", wrong));
    }
    accounts.push_back(*account);
  }
  return accounts;
}

}  // namespace

std::string AccountRange::at(std::size_t index) const {
  return fmt::format("{}{:0{}}", name, first + index, digits);
}

bool is_account_range(std::string_view text) {
  return ends_of(text).has_value();
}

Result<AccountRange> parse_account_range(std::string_view text) {
  const auto ends = ends_of(text);
  if (!ends) return range_error();
  const auto [name, first] = split_number(ends->first);
  const auto [last_name, last] = split_number(ends->second);
  const auto low = parse_integer(first, 0, kLastNumber);
  const auto high = parse_integer(last, 0, kLastNumber);
  if (name != last_name || !low || !high) return range_error();
  if (*high < *low)
    return usage_error("expected a range whose first account is not above its last");
  if (static_cast<std::size_t>(*high - *low) >= kMostAccounts) {
    return usage_error(fmt::format("expected a range of at most {} accounts", kMostAccounts));
  }
  const bool padded = first.size() == last.size() && first.starts_with('0');
  return AccountRange{std::string(name), static_cast<std::uint32_t>(*low),
                      static_cast<std::uint32_t>(*high), padded ? first.size() : 0};
}

Result<WorkerAccounts> WorkerAccounts::find(const std::string& user, const std::string& group,
                                            std::size_t slots) {
  WorkerAccounts found;
  if (user.empty() && group.empty()) return found;
  if (!is_account_range(user)) {
    if (is_account_range(group)) {
      return usage_error("expected a range in user, too, where group is one");
    }
    const auto one = find_credentials(user, group);
    if (!one) return one.error();
    found.accounts_.push_back(*one);
    return found;
  }
  auto accounts = accounts_of_range(user, group, slots);
  if (!accounts) return accounts.error();
  found.accounts_ = *std::move(accounts);
  found.separate_ = true;
  return found;
}

std::optional<Credentials> WorkerAccounts::of(std::size_t slot) const {
  if (accounts_.empty()) return std::nullopt;
  return separate_ ? accounts_.at(slot) : accounts_.front();
}

bool WorkerAccounts::includes(uid_t user) const {
  return user != ::geteuid() && user != 0 &&
         std::any_of(accounts_.begin(), accounts_.end(),
                     [user](const Credentials& account) { return account.user == user; });
}

}  // namespace mpb
