"""The running part of tools/demo: starts a broker, loads it with clients, says what happened.

usage: demo.py BIN_DIR [--keep]"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

IDS = 1000
SATURATED_SECONDS = 4
MEASURED_SECONDS = 4
CONCURRENCY = 64
LATENCY_COLUMNS = ("p50", "p90", "p99", "p99.9", "max")


class Failure(Exception):
    """Why there is no report."""


class Broker:
    """A running mpbroker in a folder of its own, which holds its control socket and its log."""

    def __init__(self, bin_dir):
        self.bin = bin_dir
        self.folder = tempfile.mkdtemp(prefix="mpbroker-demo-")
        self.control = os.path.join(self.folder, "control.sock")
        self.log = os.path.join(self.folder, "mpbroker.log")
        command = [self.program("mpbroker"), "--listen", "127.0.0.1:0", "--protocol", "control",
                   "--workers", "2", "--policy", "hash", "--control-socket", self.control]
        with open(self.log, "wb") as log:
            # A session of its own: Ctrl-C is for this script, which then ends the broker.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        self.worker_pids = []

    def program(self, name):
        return os.path.join(self.bin, name)

    def mpctl(self, *words):
        return [self.program("mpctl"), "--control-socket", self.control, *words]

    def status(self):
        """What `mpctl status --json` says, or None while nobody answers."""
        asked = subprocess.run(self.mpctl("status", "--json"), capture_output=True, check=False,
                               timeout=10)
        return json.loads(asked.stdout) if asked.returncode == 0 else None

    def wait_for(self, what, condition, seconds=15):
        """The first status for which `condition` holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"mpbroker ended with code {self.process.returncode}:\n"
                              + self.log_end())
            status = self.status()
            if status is not None and condition(status):
                self.worker_pids = [w["pid"] for w in status["workers"] if "pid" in w]
                return status
            time.sleep(0.1)
        raise Failure(f"not within {seconds} s: {what}\n" + self.log_end())

    def log_end(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def end(self):
        """Ends the broker, which ends its workers; kills whoever does not listen."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.terminate()  # the second one does not wait for clients
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
        for pid in self.worker_pids:
            if is_worker(pid, self.program("mpworker")):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def is_worker(pid, program):
    """Whether the process still is one of ours, and not a later one with its number."""
    try:
        return os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(program)
    except OSError:
        return False


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


def table(rows):
    """Lines of right-aligned columns, the first one left-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                             for i, (cell, width) in enumerate(zip(row, widths)))
            for row in rows]


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f} ms"


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
        f"It is still running, as pid {broker.process.pid}. Look at it:",
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


def demonstrate(broker):
    """Loads the broker, prints the report, returns what went wrong."""
    status = broker.wait_for("two workers are online", lambda s: sum(
        worker["state"] == "online" for worker in s["workers"]) == 2)
    address = status["listeners"][0]["address"]
    print(f"mpbroker and two workers are up; loading them for "
          f"{SATURATED_SECONDS + MEASURED_SECONDS} s ...", flush=True)
    saturated = load(broker, address, "--duration", f"{SATURATED_SECONDS}s",
                     "--concurrency", str(CONCURRENCY))
    rate = max(int(saturated["clients_per_second"] / 4), 1)
    measured = load(broker, address, "--duration", f"{MEASURED_SECONDS}s", "--rate", str(rate))
    runs = [saturated, measured]
    accepted = sum(run["handed_over"] + run["answered_where_accepted"] for run in runs)
    # The workers report their counters about once a second.
    status = broker.wait_for("the workers have counted all clients", lambda s: sum(
        worker.get("accepted", 0) for worker in s["workers"]) >= accepted)
    for part in (what_happened(address, runs), how_fast(saturated, measured),
                 who_did_what(status)):
        print("", *part, sep="\n")
    return problems(runs), address


def interrupted(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(bin_dir, keep):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupted)
    broker = Broker(os.path.abspath(bin_dir))
    kept = False
    try:
        wrong, address = demonstrate(broker)
        if keep:
            kept = True
            print("", *how_to_go_on(broker, address), sep="\n")
    except (Failure, subprocess.TimeoutExpired) as failure:
        wrong = [str(failure)]
    except KeyboardInterrupt as reason:
        wrong = [f"ended by {reason}"]
    finally:
        # A second signal must not leave programs behind.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if not kept:
            broker.end()
    for text in wrong:
        print(f"tools/demo: {text}", file=sys.stderr)
    if not wrong and not kept:
        print("\nAll is ended. To keep it running and look at it: tools/demo --keep")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--keep" in sys.argv[2:]))
