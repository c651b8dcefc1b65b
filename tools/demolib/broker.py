"""A running mpbroker, and what it says of itself."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

WORKERS = 2


class Failure(Exception):
    """Why there is no report."""


def end_program(process, seconds=5):
    """Ends a program that was started here; kills it when it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_worker(pid, program):
    """Whether the process still is one of ours, and not a later one with its number."""
    try:
        return os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(program)
    except OSError:
        return False


class Broker:
    """In a folder of its own, which holds its control socket and its log."""

    def __init__(self, bin_dir, *options):
        self.bin = bin_dir
        self.folder = tempfile.mkdtemp(prefix="mpbroker-demo-")
        self.control = os.path.join(self.folder, "control.sock")
        self.log = os.path.join(self.folder, "mpbroker.log")
        command = [self.program("mpbroker"), "--listen", "127.0.0.1:0", "--workers", str(WORKERS),
                   "--control-socket", self.control, *options]
        with open(self.log, "wb") as log:
            # A session of its own: Ctrl-C is for this script, which then ends the broker.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        self.worker_pids = []

    def program(self, name):
        return os.path.join(self.bin, name)

    def mpctl(self, *words):
        return [self.program("mpctl"), "--control-socket", self.control, *words]

    def ask(self, what):
        """What `mpctl WHAT --json` says, or None while nobody answers."""
        asked = subprocess.run(self.mpctl(what, "--json"), capture_output=True, check=False,
                               timeout=10)
        return json.loads(asked.stdout) if asked.returncode == 0 else None

    def wait_for(self, what, condition, question="status", seconds=15):
        """The first answer for which `condition` holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"mpbroker ended with code {self.process.returncode}:\n"
                              + self.log_end())
            answer = self.ask(question)
            if answer is not None and condition(answer):
                return answer
            time.sleep(0.1)
        raise Failure(f"not within {seconds} s: {what}\n" + self.log_end())

    def wait_until_online(self):
        """Gives the address that clients connect to."""
        status = self.wait_for(f"{WORKERS} workers are online", lambda s: sum(
            worker["state"] == "online" for worker in s["workers"]) == WORKERS)
        self.worker_pids = [worker["pid"] for worker in status["workers"]]
        return status["listeners"][0]["address"]

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
                end_program(self.process)  # the second SIGTERM does not wait for clients
        for pid in self.worker_pids:
            if is_worker(pid, self.program("mpworker")):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
