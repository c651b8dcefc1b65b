#include "tests/integration/harness/nginx_rtmp.hpp"

#include <csignal>
#include <stdexcept>

#include "tests/integration/harness/client.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {

NginxRtmp::NginxRtmp(std::uint16_t port) : port_(port != 0 ? port : free_port()) {
  const std::string config =
      "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n"
      "daemon off;\nmaster_process off;\n"
      "pid " +
      folder_.file("pid") +
      ";\n"
      "events {}\n"
      "rtmp {\n"
      "  access_log " +
      folder_.file("access.log") +
      ";\n"
      "  server {\n"
      "    listen " +
      address() +
      ";\n"
      "    application live { live on; wait_key on; }\n"
      "  }\n"
      "}\n";
  ProgramStart start;
  start.program = "/usr/sbin/nginx";
  start.arguments = {"-p", folder_.path(),
                     "-e", folder_.file("error.log"),
                     "-c", folder_.write("nginx.conf", config)};
  start.errors = folder_.file("stderr.log");
  child_ = std::make_unique<ChildProcess>(start);
  if (!eventually([this] { return !is_refused(port_) || !child_->running(); }) ||
      !child_->running()) {
    throw std::runtime_error("nginx does not start: " + read_file(folder_.file("stderr.log")) +
                             read_file(folder_.file("error.log")));
  }
}

std::string NginxRtmp::access_log() const {
  return read_file(folder_.file("access.log"));
}

void NginxRtmp::stop() {
  child_->signal(SIGTERM);
  if (child_->wait_exit(10s) == "running") child_.reset();
}

}  // namespace mpb::test
