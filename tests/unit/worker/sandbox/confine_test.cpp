#include "worker/sandbox/confine.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>

namespace mpb {
namespace {

TEST(Confine, NamesAreLookedUpWhereEtcLeads) {
  std::string pattern = std::filesystem::temp_directory_path() / "mpb-etc-XXXXXX";
  const std::filesystem::path root = std::filesystem::canonical(::mkdtemp(pattern.data()));
  std::filesystem::create_directories(root / "etc");
  std::filesystem::create_directories(root / "netconfig");
  std::ofstream(root / "netconfig/resolv.conf") << "nameserver 127.0.0.1\n";
  std::ofstream(root / "etc/hosts") << "127.0.0.1 localhost\n";
  std::filesystem::create_symlink("../netconfig/resolv.conf", root / "etc/resolv.conf");
  std::filesystem::create_symlink("/dev/null", root / "etc/gai.conf");
  std::filesystem::create_symlink("nowhere", root / "etc/host.conf");
  auto paths = paths_of_names(root / "etc");
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  const std::vector<std::string> expected{"/dev/null", root / "etc", root / "netconfig"};
  EXPECT_EQ(paths, expected);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace mpb
