"""Runs mpclient and reads its JSON report."""

import json
import os
import resource

from .processes import Failure, Program

LATENCIES = ("connect", "dispatch", "whole")
QUANTILES = ("p50", "p99", "p99.9")
LOST = ("lost", "wrong", "refused")


def _run(bin_dir, scratch, port, options, seconds):
    report = os.path.join(scratch, "load.json")
    program = Program("mpclient", [os.path.join(bin_dir, "mpclient"), "127.0.0.1", port,
                                   "--json", report, *options])
    try:
        code = program.wait(seconds)
        if code not in (0, 1) or not os.path.exists(report):
            raise program.explain(f"ended with code {code} and no report")
    finally:
        program.end()
    with open(report, encoding="utf-8") as file:
        result = json.load(file)
    os.unlink(report)
    return result


def _summary(result):
    clients = result["clients"]
    latencies = {name: {q: result["latency_us"][name][q] for q in QUANTILES}
                 for name in LATENCIES if name in result["latency_us"]}
    return {"clients_per_second": result["clients_per_second"], "served": clients["served"],
            "not_served": sum(clients.get(kind, 0) for kind in LOST),
            # Open loop: due within the run, but the load client had no room or time for them. The
            # last few of a run are among them.
            "never_started": clients["never_started"],
            "errors": {kind: count for kind, count in result["errors"].items() if count},
            "latency_us": latencies, "client_busy_percent": result["own_cpu"]["busy_percent"],
            "client_is_bottleneck": result["own_cpu"]["bottleneck"]}


class Loader:
    """What the rounds share: how the load is made."""

    def __init__(self, bin_dir, scratch, threads, concurrency, seconds, ids):
        self.bin_dir = bin_dir
        self.scratch = scratch
        self.threads = threads
        self.concurrency = concurrency
        self.seconds = seconds
        self.ids = ids

    def _load(self, port, seconds, options):
        options = ["--duration", f"{round(seconds * 1000)}ms", "--threads", self.threads,
                   "--ids", self.ids, *options]
        return _summary(_run(self.bin_dir, self.scratch, port, options, seconds + 40))

    def closed(self, port, seconds=None):
        """At saturation: as many clients in flight as asked for, each followed by the next."""
        return self._load(port, seconds or self.seconds, ["--concurrency", self.concurrency])

    def open(self, port, rate):
        """At a fixed rate, whatever the server does; latency counts from the intended time."""
        return self._load(port, self.seconds, ["--rate", f"{rate:.0f}"])


class Holders:
    """mpclient processes that keep clients idle, each below the descriptor limit."""

    # For mpclient's own descriptors.
    RESERVE = 500
    SOURCES = 8

    def __init__(self, bin_dir, scratch, port, clients, ids, seconds):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - self.RESERVE
        count = -(-clients // limit)
        shares = [clients // count + (index < clients % count) for index in range(count)]
        self.reports = [os.path.join(scratch, f"hold-{index}.json") for index in range(count)]
        first = 0
        self.programs = []
        for share, report in zip(shares, self.reports):
            self.programs.append(Program("mpclient --hold", [
                os.path.join(bin_dir, "mpclient"), "127.0.0.1", port, "--clients", share,
                "--hold", f"{seconds}s", "--timeout", "30s", "--sources", self.SOURCES,
                "--ids", ids or f"seq:{first}", "--json", report]))
            first += share

    def check_alive(self):
        for program in self.programs:
            program.check_alive()

    def finish(self, seconds):
        """Waits for their end; returns how many clients were served to it and how many were not."""
        served = failed = 0
        for program, report in zip(self.programs, self.reports):
            program.wait(seconds)
            if not os.path.exists(report):
                raise program.explain("wrote no report")
            with open(report, encoding="utf-8") as file:
                clients = json.load(file)["clients"]
            os.unlink(report)
            served += clients["served"]
            failed += sum(clients.get(kind, 0) for kind in LOST)
        return served, failed

    def end(self):
        for program in self.programs:
            program.end()


def check_programs(bin_dir, names):
    paths = {name: os.path.join(bin_dir, name) for name in names}
    missing = [path for path in paths.values() if not os.access(path, os.X_OK)]
    if missing:
        raise Failure(f"missing: {', '.join(missing)}; build with `cmake --preset release && "
                      "ninja -C build/release`, or name their folder with --bin")
    return paths
