"""The RTMP servers that are compared: command lines, readiness, and what they use."""

import os
import re
import shutil
import socket
import time
from dataclasses import dataclass

from . import processes
from .processes import Failure, Program

NGINX_MODULES = ("/usr/lib/nginx/modules/ngx_rtmp_module.so",
                 "/usr/share/nginx/modules/ngx_rtmp_module.so")
HELLO = b"\3" + b"\0" * 1536


@dataclass(frozen=True)
class Variant:
    key: str
    title: str
    program: str
    workers: int = 1
    latency: str = ""  # of mpbroker's vhost
    bin_dir: str = ""  # where its program is, if not where all are


VARIANTS = {variant.key: variant for variant in (
    Variant("n", "nginx-rtmp, 1 worker", "nginx"),
    Variant("f", "floor_fanout", "floor_fanout"),
    Variant("r", "mpbroker realtime, 1 worker", "mpbroker"),
    Variant("d", "mpbroker realtime, 2 workers", "mpbroker", workers=2),
    Variant("m", "mpbroker merge:350ms, 1 worker", "mpbroker", latency="merge:350ms"),
)}


class Server:
    """A running server; all processes of it count."""

    def __init__(self, variant, program, port):
        began = time.monotonic()
        self.variant = variant
        self.program = program
        self.port = port
        processes.wait_until(self._answers, 30, "it answers a handshake", program)
        self.ready_ms = 1000 * (time.monotonic() - began)
        processes.wait_until(self._children_there, 15,
                             "its worker processes are there", program)
        self.children = processes.descendants(program.pid)

    def _children_there(self):
        wanted = self.variant.workers if self.variant.program != "nginx" else 1
        return len(processes.descendants(self.program.pid)) >= wanted

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(HELLO)
                return connection.recv(1) == b"\3"
        except OSError:
            return False

    def pids(self):
        return [self.program.pid, *self.children]

    def cpu_ns(self):
        return sum(processes.cpu_ns(pid) for pid in self.pids())

    def rss_kib(self):
        return sum(processes.rss_kib(pid) for pid in self.pids())

    def check(self):
        """A worker that ended took clients with it: the figures would be of something else."""
        self.program.check_alive()
        now = processes.descendants(self.program.pid)
        if now != self.children:
            raise self.program.explain(f"its processes changed from {self.children} to {now}")

    def end(self):
        self.program.end()


def nginx_module():
    return next((path for path in NGINX_MODULES if os.path.exists(path)), None)


def missing(variant):
    """Why a variant must be left out, or None."""
    if variant.program == "nginx" and not (shutil.which("nginx") and nginx_module()):
        return "nginx with its RTMP module is not installed: apt install libnginx-mod-rtmp"
    return None


def _start_nginx(scratch, variant):
    port = processes.free_port()
    folder = os.path.join(scratch, f"nginx-{port}")
    os.makedirs(os.path.join(folder, "logs"))
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""load_module {nginx_module()};
daemon off;
worker_processes 1;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:{port};
    application live {{ live on; }}
  }}
}}
""")
    if os.geteuid() == 0:
        with open(path, "r+", encoding="utf-8") as file:
            text = file.read()
            file.seek(0)
            file.write("user root;\n" + text)
    return Server(variant, Program("(n) nginx", ["nginx", "-p", folder, "-c", path]), port)


def _start_floor(bin_dir, variant):
    program = Program("(f) floor_fanout", [os.path.join(bin_dir, "floor_fanout"),
                                           "--listen", "127.0.0.1:0"])
    found = []

    def announced():
        found[:] = re.findall(r"^listening .*:(\d+)$", program.output(), re.MULTILINE)
        return bool(found)

    processes.wait_until(announced, 15, "it prints `listening ADDRESS:PORT`", program)
    return Server(variant, program, int(found[0]))


def broker_config(path, vhosts, latency):
    with open(path, "w", encoding="utf-8") as file:
        for number in range(vhosts):
            file.write(f"[vhost v{number}.test]\nlatency = {latency or 'realtime'}\n\n")


def start_broker(bin_dir, scratch, variant, vhosts=0):
    """With `vhosts` or a latency: by a configuration file that has so many [vhost] sections."""
    port = processes.free_port()
    command = [os.path.join(variant.bin_dir or bin_dir, "mpbroker"), "--listen", f"127.0.0.1:{port}",
               "--protocol", "rtmp", "--handler", "relay", "--workers", variant.workers,
               "--control-socket", os.path.join(scratch, f"{variant.key}-{port}.sock")]
    if vhosts or variant.latency:
        path = os.path.join(scratch, f"{variant.key}-{port}.ini")
        broker_config(path, vhosts or 1, variant.latency)
        command += ["--config", path]
    return Server(variant, Program(f"({variant.key}) mpbroker", command), port)


def start(bin_dir, scratch, variant):
    why = missing(variant)
    if why:
        raise Failure(why)
    if variant.program == "nginx":
        return _start_nginx(scratch, variant)
    if variant.program == "floor_fanout":
        return _start_floor(bin_dir, variant)
    return start_broker(bin_dir, scratch, variant)
