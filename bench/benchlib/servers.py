"""The servers that are compared: command lines, readiness, and proof of what they do with a client.
"""

import os
import re
import socket
import struct
from dataclasses import dataclass, field

from . import processes
from .processes import Failure, Program

GREETING = b"hello, server ping!\0"
PROBES = 40


@dataclass(frozen=True)
class Variant:
    key: str
    title: str
    program: str
    options: tuple
    handed_over: tuple  # least and greatest share of clients that W may tell as moved
    workers: int = 2
    bin_dir: str = ""  # where its program is, if not where all are
    worker: str = ""  # mpbroker's worker program, if not mpworker
    process_per_client: bool = False  # its processes come and go with the clients


VARIANTS = {variant.key: variant for variant in (
    Variant("a", "no-handoff floor", "floor_direct", (), (0, 0)),
    Variant("b", "relay floor, every client", "floor_relay", (), (1, 1)),
    Variant("c", "mpbroker, no client handed over", "mpbroker",
            ("--policy", "local", "--sticky", "no"), (0, 0)),
    Variant("d", "mpbroker, every client handed over", "mpbroker",
            ("--acceptors", "1", "--route", "*=1"), (1, 1)),
    Variant("e", "mpbroker, half handed over", "mpbroker", ("--policy", "hash"), (0.2, 0.8)),
    Variant("f", "a fork for each client", "floor_fork", (), (0, 0), process_per_client=True),
    Variant("g", "mpbroker, a process for each client", "mpbroker",
            ("--isolate", "client", "--max-workers", "1000"), (0.9, 1), process_per_client=True),
    Variant("h", "relay floor, half handed over", "floor_relay",
            ("--acceptors", "2", "--handover", "half"), (0.2, 0.8)),
    Variant("x", "as c, the service an Asio coroutine", "mpbroker",
            ("--policy", "local", "--sticky", "no"), (0, 0), worker="asio_worker"),
    Variant("i", "32 workers, as many accept as CPUs", "mpbroker", (), (0.8, 1), workers=32),
    Variant("j", "32 workers, one accepts", "mpbroker", ("--acceptors", "1"), (0.8, 1),
            workers=32),
    Variant("k", "32 workers, all accept", "mpbroker", ("--acceptors", "32"), (0.8, 1),
            workers=32),
    Variant("y", "Asio alone, shared listener", "floor_asio", (), (0, 0)),
)}


def programs_of(variant):
    if variant.program != "mpbroker":
        return {variant.program}
    return {"mpbroker", variant.worker or "mpworker"}


@dataclass
class Server:
    """A running server. `hub` is the process in the middle, which is the program that was started;
    with floor_direct it does nothing."""
    variant: Variant
    program: Program
    port: int
    workers: list = field(default_factory=list)

    @property
    def hub(self):
        return self.program.pid

    def pids(self):
        return [self.hub] + self.workers

    def cpu(self):
        if not self.variant.process_per_client:
            return {pid: processes.cpu_ns(pid) for pid in self.pids()}
        others = processes.descendants(self.hub)
        spent = sum(processes.cpu_ns(pid) for pid in others)
        spent += sum(processes.reaped_cpu_ns(pid) for pid in self.pids())
        return {self.hub: processes.cpu_ns(self.hub), "others": spent}

    def check(self):
        """A worker that ended took clients with it: the figures would be of something else."""
        self.program.check_alive()
        if self.variant.process_per_client:
            return
        now = processes.descendants(self.hub)
        if now != self.workers:
            raise self.program.explain(f"its processes changed from {self.workers} to {now}")

    def end(self):
        self.program.end()


def start(bin_dir, scratch, variant, extra=()):
    """Starts a variant and waits until it serves; checks that it hands over what it should."""
    bin_dir = variant.bin_dir or bin_dir
    command = [os.path.join(bin_dir, variant.program), "--workers", variant.workers]
    if variant.program == "mpbroker":
        port = processes.free_port()
        control = os.path.join(scratch, f"{variant.key}-{port}.sock")
        command += ["--listen", f"127.0.0.1:{port}", "--control-socket", control]
        command += (["--protocol", "control-coroutine", "--worker-program",
                     os.path.join(bin_dir, variant.worker)] if variant.worker
                    else ["--protocol", "control"])
    else:
        port = 0
        command += ["--listen", "127.0.0.1:0"]
    program = Program(f"({variant.key}) {variant.program}", [*command, *variant.options, *extra])
    server = Server(variant, program, port or _announced_port(program))
    processes.wait_until(lambda: _greets(server.port), 15, "it answers a client", program)
    processes.wait_until(lambda: len(processes.descendants(program.pid)) >= variant.workers, 15,
                         f"it has {variant.workers} worker processes", program)
    server.workers = processes.descendants(program.pid)
    _check_handover(server)
    return server


def _announced_port(program):
    found = []

    def announced():
        found[:] = re.findall(r"^listening .*:(\d+)$", program.output(), re.MULTILINE)
        return bool(found)

    processes.wait_until(announced, 15, "it prints `listening ADDRESS:PORT`", program)
    return int(found[0])


def ask(port, request, answers, timeout=5):
    """One connection: sends `request`, returns as many NUL-ended answers, fewer at an EOF."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(request)
        received = b""
        while received.count(b"\0") < answers:
            piece = connection.recv(4096)
            if not piece:
                break
            received += piece
    return received.split(b"\0")[:-1]


def header(client_id):
    return b"C" + struct.pack("<i", client_id)


def _greets(port):
    try:
        return ask(port, header(1), 1, timeout=1) == [GREETING[:-1]]
    except OSError:
        return False


def handed_over_share(port):
    """The share of some clients of different ids that W tells as moved."""
    moved = 0
    for client_id in range(PROBES):
        answers = ask(port, header(client_id) + b"W", 2)
        told = re.search(rb"hops=(\d+)", answers[1]) if len(answers) == 2 else None
        if told is None:
            raise Failure(f"port {port}: C and W were answered {answers}")
        moved += int(told[1]) > 0
    return moved / PROBES


def _check_handover(server):
    low, high = server.variant.handed_over
    share = handed_over_share(server.port)
    if not low <= share <= high:
        raise server.program.explain(
            f"{share:.0%} of {PROBES} clients were handed over, not {low:.0%} to {high:.0%}")
