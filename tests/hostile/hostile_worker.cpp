// A worker program (mpbroker --worker-program) that attacks the broker in some slots and is a plain
// mpworker in the others. From the environment:
//   HOSTILE_ATTACKS  "SLOT=ATTACK[,SLOT=ATTACK...]"
//   HOSTILE_TIMES    how many processes of a slot attack; later ones are mpworker. Default: 1
//   HOSTILE_FOLDER   where the files are by which test and processes tell each other how far they
//   are
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <sstream>

#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

const Attack* find_attack(std::string_view name) {
  for (const auto attacks :
       {datagram_attacks(), descriptor_attacks(), order_attacks(), listener_attacks(),
        load_attacks(), process_attacks(), descent_attacks(), letter_attacks(), question_attacks(),
        table_attacks()}) {
    for (const Attack& attack : attacks) {
      if (attack.name == name) return &attack;
    }
  }
  return nullptr;
}

/// From Configure, which stays unread: mpworker needs it.
std::uint16_t peek_slot() {
  pollfd entry{Rogue::channel_fd(), POLLIN, 0};
  ::poll(&entry, 1, -1);
  std::array<char, channel::kMaxDatagram> buffer{};
  const ssize_t size = ::recv(Rogue::channel_fd(), buffer.data(), buffer.size(), MSG_PEEK);
  if (size <= 0) ::_exit(0);
  const auto message = channel::decode({buffer.data(), static_cast<std::size_t>(size)});
  return message ? std::get<channel::Configure>(*message).slot : UINT16_MAX;
}

std::string attack_of(std::uint16_t slot) {
  std::istringstream list(variable("HOSTILE_ATTACKS", ""));
  const std::string wanted = std::to_string(slot) + "=";
  for (std::string entry; std::getline(list, entry, ',');) {
    if (entry.starts_with(wanted)) return entry.substr(wanted.size());
  }
  return {};
}

/// Whether fewer processes of this slot have attacked than should.
bool is_its_turn(const std::string& folder, std::uint16_t slot) {
  const int times = std::atoi(variable("HOSTILE_TIMES", "1").c_str());
  for (int i = 0; i < times; ++i) {
    const std::string mark = folder + "/process-" + std::to_string(slot) + "-" + std::to_string(i);
    const UniqueFd file(::open(mark.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (file) return true;
  }
  return false;
}

[[noreturn]] void become_mpworker(char** arguments) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "mpworker";
  ::execv(program.c_str(), arguments);
  std::perror(program.c_str());
  ::_exit(127);
}

[[noreturn]] void carry_out(const Attack& attack, std::uint16_t slot, const std::string& folder) {
  Rogue rogue(slot, folder);
  if (attack.stage != Stage::kBorn) rogue.await_start();
  if (attack.stage == Stage::kOnline) rogue.say_ready();
  rogue.await_go(attack.stage != Stage::kBorn);
  attack.run(rogue);
  rogue.tell_done();
  rogue.behave();
}

}  // namespace
}  // namespace mpb::hostile

int main(int, char** arguments) {
  using namespace mpb::hostile;
  try {
    const std::uint16_t slot = peek_slot();
    const std::string name = attack_of(slot);
    const std::string folder = variable("HOSTILE_FOLDER", ".");
    if (name.empty() || !is_its_turn(folder, slot)) become_mpworker(arguments);
    const Attack* attack = find_attack(name);
    if (attack == nullptr) {
      std::fprintf(stderr, "hostile_worker: no attack is called %s\n", name.c_str());
      return 2;
    }
    carry_out(*attack, slot, folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hostile_worker: %s\n", error.what());
    return 1;
  }
}
