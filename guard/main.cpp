// mpguard: starts a program (mpbroker) and starts it again when it dies; keeps what it gives to be
// kept, and hands it to the next one. See docs/decisions/0049-the-guard.md.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "guard/service.hpp"

extern char** environ;

namespace {

/// As the program has ended.
[[noreturn]] void end_as(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    sigset_t all;
    ::sigfillset(&all);
    std::signal(number, SIG_DFL);
    ::raise(number);
    ::sigprocmask(SIG_UNBLOCK, &all, nullptr);
    ::_exit(128 + number);
  }
  ::_exit(WEXITSTATUS(status));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] != '/') {
    std::fputs("mpguard: it is started by mpbroker. Usage: mpguard /PATH/PROGRAM [ARGUMENT]...\n",
               stderr);
    return 2;
  }
  static mpb::guard::Service service(argv + 1, environ);
  end_as(service.run());
}
