// What can be set for the cell of a key: the last keys of a [vhost NAME] section, and those of a
// [key PATTERN] section.
#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "common/base/units.hpp"
#include "common/config/option_table.hpp"
#include "common/config/option_values.hpp"

namespace mpb {
namespace {

constexpr std::int64_t kLeastNofile = 128;  // with less a worker has none for clients
constexpr std::int64_t kMostNofile = 1'000'000'000;
constexpr std::uint64_t kLeastMemory = 16ULL << 20;  // with less it does not start
constexpr std::int64_t kMostCpuWeight = 10'000;

struct Nofile {
  static Result<std::int64_t> read(std::string_view text) {
    if (text == "0") return std::int64_t{0};
    return read_integer(text, kLeastNofile, kMostNofile);
  }
  static std::string write(std::uint64_t value) { return fmt::to_string(value); }
};

struct Memory {
  static Result<std::uint64_t> read(std::string_view text) {
    const auto size = read_size(text);
    if (size && *size != 0 && *size < kLeastMemory) {
      return usage_error(fmt::format("expected {} at least, or 0", format_size(kLeastMemory)));
    }
    return size;
  }
  static std::string write(std::uint64_t value) { return format_size(value); }
};

/// Of `Owner`, which has the settings of a cell.
template <class Owner>
constexpr auto options_of_cell(std::string_view group) {
  return std::to_array<OptionSpec>({
      {{"user", group, "NAME", "", "as other workers",
        "with isolate = key, the worker that serves the key runs as this user"},
       to<Text<read_one_account>, &Owner::cell, &CellSettings::user>,
       "A name or a number. Such a worker is started for its key: it does not come from "
       "spare-workers, and clients of the key are never served by others.",
       "nobody"},
      {{"group", group, "NAME", "", "the user's own", "beside user, the group that it runs as"},
       to<Text<read_one_account>, &Owner::cell, &CellSettings::group>,
       "",
       "nogroup"},
      {{"nofile", group, "N", "0", "",
        "how many descriptors it may have (RLIMIT_NOFILE); 0: as other workers"},
       to<Nofile, &Owner::cell, &CellSettings::nofile>,
       "From 128. Above mpbroker's own hard limit only where that may raise it."},
      {{"memory-max", group, "SIZE", "0", "",
        "how much memory it may have; one that needs more ends, and no other; 0: no limit"},
       to<Memory, &Owner::cell, &CellSettings::memory_max>,
       "From 16MiB. By control groups (memory.max) where mpbroker is given some (Delegate=yes), "
       "with all that it starts; else by RLIMIT_DATA, which does not count shared memory."},
      {{"cpu-weight", group, "N", "100", "",
        "its share of the CPU beside others' where that is scarce, which have 100"},
       to<Whole<1, kMostCpuWeight>, &Owner::cell, &CellSettings::cpu_weight>,
       "1 to 10000. By control groups (cpu.weight); without them it does nothing."},
  });
}

constexpr std::string_view kOfKeys = "Key: its process";
constexpr auto kOfVhost = options_of_cell<VhostSettings>("Vhost: its process");
constexpr auto kOfKey = options_of_cell<KeySettings>(kOfKeys);

constexpr OptionSpec kProtocol{
    {"protocol", kOfKeys, "NAME", "", "all but rtmp, whose keys are set by vhosts",
     "whose keys the section is about: those of this protocol"},
    to<Text<read_name>, &KeySettings::protocol>,
    "",
    "control"};

}  // namespace

std::span<const OptionSpec> vhost_cell_option_table() {
  return kOfVhost;
}

std::span<const OptionSpec> key_option_table() {
  static const std::vector<OptionSpec> all = [] {
    std::vector<OptionSpec> table{kProtocol};
    table.insert(table.end(), std::begin(kOfKey), std::end(kOfKey));
    return table;
  }();
  return all;
}

}  // namespace mpb
