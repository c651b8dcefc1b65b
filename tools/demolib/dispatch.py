"""Many short clients: who gets them, what it takes, and how fast it is."""

import json
import os
import subprocess

from .broker import Broker, Failure
from .text import milliseconds, table

IDS = 1000
SATURATED_SECONDS = 4
MEASURED_SECONDS = 4
CONCURRENCY = 64
LATENCY_COLUMNS = ("p50", "p90", "p99", "p99.9", "max")


def load(broker, address, *options):
    """Runs mpclient and returns its report. Each client asks who serves it, and all who have named
    the same id compare the answers (--verify)."""
    path = os.path.join(broker.folder, "load.json")
    command = [broker.program("mpclient"), "--connect", address, "--ids", f"uniform:{IDS}",
               "--verify", "--json", path, *options]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=120)
    if ran.returncode not in (0, 1):
        raise Failure(f"{' '.join(command)}\nended with code {ran.returncode}:\n"
                      + ran.stderr.decode(errors="replace")[-1500:])
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    os.unlink(path)
    return report


def what_happened(address, runs):
    def total(member):
        return sum(run["clients"][member] for run in runs)

    served = total("served")
    moved = sum(run["handed_over"] for run in runs)
    stayed = sum(run["answered_where_accepted"] for run in runs)
    told = max(moved + stayed, 1)
    return [
        "What happened",
        "",
        f"  {total('started'):,} clients connected to one port, {address}, and each named one of "
        f"{IDS:,} ids.",
        "  Whichever of the two worker processes was first accepted the connection. But every id",
        "  belongs to one of the two, and is to be served by that one only.",
        "",
        f"  {stayed:>9,} clients ({stayed / told:.1%}) were accepted by the worker that owns their "
        "id: served there.",
        f"  {moved:>9,} clients ({moved / told:.1%}) were accepted by the other one. Their "
        "connection itself was moved:",
        "            its file descriptor went through mpbroker to the owner, who answered. The",
        "            client noticed nothing, and from then on nothing stood between the two.",
        "",
        f"  {served:,} were served, {total('lost'):,} lost, {total('wrong'):,} wrongly answered or "
        f"routed, {total('refused'):,} refused.",
        "  Every client asked who serves it: all of an id were told the same process."
        if total("wrong") == 0 else
        "  NOT all clients of an id met the same process.",
    ]


def how_fast(saturated, measured):
    lines = [
        "How fast",
        "",
        f"  {saturated['clients_per_second']:,.0f} clients/s: connect, name an id, be moved if "
        "need be, be answered, close;",
        f"  {CONCURRENCY} at a time. Clients, workers and broker share the {os.cpu_count()} CPUs of "
        "this machine.",
        "",
        f"  Latency at {measured['intended_rate']:,.0f} clients/s, a quarter of that:",
        "",
    ]
    rows = [("", *LATENCY_COLUMNS)]
    for name, text in (("connect", "connection stands"), ("dispatch", "answer after naming an id")):
        rows.append((text, *(milliseconds(measured["latency_us"][name][column])
                             for column in LATENCY_COLUMNS)))
    lines += table(rows)
    if saturated["own_cpu"]["bottleneck"]:
        lines += ["", "  The load client itself was the limit: the server could do more."]
    return lines


def who_did_what(status):
    rows = [("worker", "pid", "state", "accepted", "moved out", "moved in", "restarts", "fds",
             "memory")]
    for worker in status["workers"]:
        rows.append((str(worker["slot"]), str(worker["pid"]), worker["state"],
                     f"{worker['accepted']:,}", f"{worker['handoffs']['out']:,}",
                     f"{worker['handoffs']['in']:,}", str(worker["restarts"]), str(worker["fds"]),
                     f"{worker['rss_bytes'] / 2**20:.1f} MiB"))
    broker = status["broker"]
    per_move = 1000 * broker["cpu_ms"] / max(broker["handoffs"], 1)
    return ["The workers, by mpctl status", "", *table(rows), "",
            f"  mpbroker (pid {status['pid']}) holds none of the clients: {broker['fds']} "
            f"descriptors, {broker['rss_bytes'] / 2**20:.1f} MiB,",
            f"  {broker['cpu_ms'] / 1000:.1f} s of CPU, which is {per_move:.0f} us for each "
            "client that it moved."]


def how_to_go_on(broker, address):
    host, port = address.rsplit(":", 1)
    return [
        f"The first mpbroker is still running, as pid {broker.process.pid}. Look at it:",
        "",
        f"    cd {broker.bin}; export MPBROKER_CONTROL_SOCKET={broker.control}",
        "    ./mpctl status    # once, all counters",
        "    ./mpctl watch     # live; leave with Ctrl-C",
        "    ./mpctl events    # what happens, as it happens",
        f"    ./mpclient {host} {port} --duration 10s --ids zipf:1000 --verify",
        f"    less {broker.log}",
        "",
        "Break it: mpbroker starts the worker again, and only the clients that it served are lost:",
        "",
        f"    kill -9 {broker.worker_pids[0]}",
        "",
        "Stop it:",
        "",
        f"    ./mpctl stop && rm -r {broker.folder}",
    ]


def problems(runs):
    found = [f"{run['clients'][member]:,} clients {text}"
             for run in runs
             for member, text in (("lost", "were lost"), ("wrong", "were wrongly answered"),
                                  ("refused", "were refused")) if run["clients"][member] > 0]
    found += [sample for run in runs for sample in run["samples"]]
    if not any(run["handed_over"] for run in runs):
        found.append("no client was moved")
    return found


class Demonstration:
    """A broker whose clients name integer ids."""

    def __init__(self, bin_dir):
        self.broker = Broker(bin_dir, "--protocol", "control", "--policy", "hash")
        self.address = None

    def run(self):
        """Loads the broker, prints the report, returns what went wrong."""
        broker = self.broker
        self.address = broker.wait_until_online()
        print(f"mpbroker and two workers are up; loading them for "
              f"{SATURATED_SECONDS + MEASURED_SECONDS} s ...", flush=True)
        saturated = load(broker, self.address, "--duration", f"{SATURATED_SECONDS}s",
                         "--concurrency", str(CONCURRENCY))
        rate = max(int(saturated["clients_per_second"] / 4), 1)
        measured = load(broker, self.address, "--duration", f"{MEASURED_SECONDS}s",
                        "--rate", str(rate))
        runs = [saturated, measured]
        accepted = sum(run["handed_over"] + run["answered_where_accepted"] for run in runs)
        # The workers report their counters about once a second.
        status = broker.wait_for("the workers have counted all clients", lambda s: sum(
            worker.get("accepted", 0) for worker in s["workers"]) >= accepted)
        for part in (what_happened(self.address, runs), how_fast(saturated, measured),
                     who_did_what(status)):
            print("", *part, sep="\n")
        return problems(runs)

    def how_to_go_on(self):
        return how_to_go_on(self.broker, self.address)

    def end(self):
        self.broker.end()
