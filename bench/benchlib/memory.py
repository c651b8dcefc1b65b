"""What clients cost that are connected and idle: resident memory and descriptors."""

import math
import resource
import time
from dataclasses import replace

from . import processes, servers
from .load import Holders

FEW = 10
# For a worker's own descriptors, and for clients that it passes on.
WORKER_RESERVE = 1000
SETTLE_SECONDS = 1.0
# With 100,000 clients, more: connecting them is part of it.
HOLD_SECONDS = 20


def _snapshot(server):
    return {"rss_kib": {pid: processes.rss_kib(pid) for pid in server.pids()},
            "fds": {pid: processes.fd_count(pid) for pid in server.pids()}}


def _worker_fds(server):
    return sum(processes.fd_count(pid) for pid in server.workers)


def _resting_fds(server):
    """The workers' descriptors once they have closed the clients that left before."""
    seen = []

    def unchanged():
        time.sleep(0.1)
        seen.append(_worker_fds(server))
        return len(seen) > 4 and len(set(seen[-4:])) == 1

    processes.wait_until(unchanged, 20, "the workers' descriptor count rests", server.program)
    return seen[-1]


def _hold(bin_dir, scratch, server, clients, ids, hold_seconds, look):
    """Connects `clients`, waits until the workers have them all, and returns what `look` sees then,
    and how many clients were served and lost."""
    base = _resting_fds(server)
    began = time.monotonic()
    holders = Holders(bin_dir, scratch, server.port, clients, ids, hold_seconds)
    try:
        def all_here():
            holders.check_alive()
            return _worker_fds(server) >= base + clients

        processes.wait_until(all_here, 30 + clients / 1000, f"the workers hold {clients} clients",
                             server.program)
        connected = time.monotonic() - began
        time.sleep(SETTLE_SECONDS)
        seen = look()
        served, lost = holders.finish(hold_seconds + 60 + clients / 1000)
    finally:
        holders.end()
    processes.wait_until(lambda: _worker_fds(server) <= base, 30,
                         "the workers close clients that left", server.program)
    server.check()
    return seen, {"served": served, "lost": lost, "connect_seconds": connected}


def measure_growth(bin_dir, scratch, variant, many, say):
    """The memory of a variant's workers together, and of its hub, at 10 and at `many` clients."""
    extra = ("--max-clients", many + WORKER_RESERVE) if variant.program == "mpbroker" else ()
    server = servers.start(bin_dir, scratch, variant, extra)
    try:
        say(f"memory: ({variant.key}) holding {FEW} and {many} clients")
        workers, hub, fds, lost = [], [], [], 0
        for clients in (FEW, many):
            # The same ids at both sizes: what the broker keeps for an id is not what is measured.
            seen, end = _hold(bin_dir, scratch, server, clients, f"uniform:{FEW}",
                              max(5, clients // 2500 + 4), lambda: _snapshot(server))
            workers.append(sum(seen["rss_kib"][pid] for pid in server.workers))
            hub.append(seen["rss_kib"][server.hub])
            fds.append(seen["fds"][server.hub])
            lost += end["lost"]
        return {"variant": variant.key, "clients": [FEW, many], "lost": lost,
                "worker_rss_kib": workers,
                "worker_kib_per_client": (workers[1] - workers[0]) / (many - FEW),
                "broker_rss_kib": hub, "broker_fds": fds}
    finally:
        server.end()


def _available_kib():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))


def measure_idle(bin_dir, scratch, clients, say):
    """Many idle clients of as many ids, each worker within its descriptor limit."""
    cap = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - WORKER_RESERVE
    workers = max(2, math.ceil(clients / cap))
    variant = replace(servers.VARIANTS["d"], key="idle", title="idle", options=(),
                      handed_over=(0, 1), workers=workers)
    server = servers.start(bin_dir, scratch, variant, ("--max-clients", cap))
    try:
        say(f"idle: {clients} clients over {workers} workers with room for {cap} each")
        _resting_fds(server)
        before, available = _snapshot(server), _available_kib()
        seen, end = _hold(bin_dir, scratch, server, clients, None, HOLD_SECONDS + clients // 4000,
                          lambda: (_snapshot(server), _available_kib()))
        after, left = seen
        held = [after["fds"][pid] - before["fds"][pid] for pid in server.workers]
        grown = sum(after["rss_kib"][pid] - before["rss_kib"][pid] for pid in server.workers)
        return {"clients": clients, "workers": workers, "cap": cap, **end, "held": sum(held),
                "held_by_worker": held, "worker_kib_per_client": grown / clients,
                "machine_kib_per_client": (available - left) / clients,
                "broker_rss_kib": [before["rss_kib"][server.hub], after["rss_kib"][server.hub]],
                "broker_fds": [before["fds"][server.hub], after["fds"][server.hub]]}
    finally:
        server.end()
