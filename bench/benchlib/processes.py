"""Programs started for a measurement, and what /proc tells of them.

Every program is ended by its pid, its children included, however the run ends; the kernel ends it
when this process is killed."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
RUNNING = []


class Failure(Exception):
    """Something that cannot be measured; the text says what and where."""


def _prepare_child():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Program:
    """One started program. Its output goes to temporary files, so that no pipe can fill up."""

    def __init__(self, name, command, guarded=False):
        """`guarded`: an mpbroker is run by mpguard, as it is by default."""
        self.name = name
        self.command = [str(part) for part in command]
        holder = "" if guarded else "none"
        self.stdout = tempfile.TemporaryFile()
        self.stderr = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.stdout, stderr=self.stderr,
            env={**os.environ, "MPBROKER_HOLDER": holder}, preexec_fn=_prepare_child)
        self.pid = self.popen.pid
        RUNNING.append(self)

    def output(self):
        return read_file(self.stdout)

    def explain(self, what):
        """A Failure with the end of what the program said."""
        said = (read_file(self.stderr) or self.output()).strip()[-1500:]
        return Failure(f"{self.name}: {what}\n  command: {' '.join(self.command)}"
                       f"\n  it said: {said or 'nothing'}")

    def check_alive(self):
        if self.popen.poll() is not None:
            raise self.explain(f"ended early with code {self.popen.returncode}")

    def wait(self, seconds):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.explain(f"did not end within {seconds:.0f} s") from None

    def end(self, first=signal.SIGTERM, seconds=8):
        """Asks it to end, then kills what is left of it and its children, which may outlive it."""
        family = [(pid, start_time(pid)) for pid in descendants(self.pid)]
        if self.popen.poll() is None:
            self.popen.send_signal(first)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        for pid, started in family:
            if started is not None and start_time(pid) == started:
                _kill(pid)
        if self in RUNNING:
            RUNNING.remove(self)


def end_all():
    for program in list(reversed(RUNNING)):
        program.end(seconds=3)


def read_file(file):
    file.seek(0)
    return file.read().decode(errors="replace")


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _stat_fields(pid):
    """/proc/PID/stat from the state on (field 3), or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def start_time(pid):
    """Tells a process from a later one with its number. None when it is gone or a zombie."""
    fields = _stat_fields(pid)
    return None if fields is None or fields[0] == "Z" else fields[19]


def descendants(pid):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat_fields(entry)
            if fields is not None:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return sorted(found)


def cpu_ns(pid):
    """CPU time used so far by all threads that live: from the scheduler, else in clock ticks."""
    try:
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total
    except (FileNotFoundError, ProcessLookupError):
        fields = _stat_fields(pid)
        return 0 if fields is None else (int(fields[11]) + int(fields[12])) * TICK_NS


def reaped_cpu_ns(pid):
    """CPU time of the children that a process has waited for, and of theirs: in clock ticks."""
    fields = _stat_fields(pid)
    return 0 if fields is None else (int(fields[13]) + int(fields[14])) * TICK_NS


def rss_kib(pid):
    """Exact resident set. /proc/PID/statm is off by the counters that CPUs have not yet merged."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Rss:"):
                return int(line.split()[1])
    raise Failure(f"/proc/{pid}/smaps_rollup has no Rss")


def fd_count(pid):
    path = f"/proc/{pid}/fd"
    # The directory's size is the number of descriptors since Linux 6.2, 0 before.
    return os.stat(path).st_size or len(os.listdir(path))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what, program=None):
    """Polls `condition` until it is true; a Failure naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if program is not None:
            program.check_alive()
        if time.monotonic() > deadline:
            text = f"not within {seconds:.0f} s: {what}"
            raise program.explain(text) if program is not None else Failure(text)
        time.sleep(0.02)
