#!/usr/bin/env python3
"""The shipped unit under a real systemd, in namespaces of its own. usage: systemd_test.py BIN
Exit code 77, and why, where that cannot be had."""
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve()
UNIT = HERE.parent.parent.parent / "packaging/systemd/mpbroker.service.in"
SYSTEMD = "/lib/systemd/systemd"
PATIENCE = 60  # seconds; reached by a failure alone
SKIPPED = 77


def eventually(condition):
    end = time.monotonic() + PATIENCE
    while not (got := condition()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)
    return got


def make_unit(bin_dir, config, log):
    """The unit as it is installed. How it confines the service is left out: a systemd for one user
    cannot."""
    text = UNIT.read_text()
    confined = text.index("# All of this holds for the workers, too.")
    text = text[:confined] + text[text.index("[Install]"):]
    text = text.replace("@MPB_SBINDIR@/mpbroker --config @MPB_SYSCONFDIR@/mpbroker/mpbroker.ini",
                        f"{bin_dir}/mpbroker --config {config}")
    text = re.sub("(?m)^(LimitNOFILE|TasksMax|Delegate|Wants|After)=.*$", "", text)
    assert "@" not in text, text
    return text.replace("[Service]\n", f"[Service]\nStandardError=append:{log}\n")


class Client:
    """One of the control protocol, with an id."""

    def __init__(self, port, ident):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.rest = b""
        self.socket.sendall(b"C" + struct.pack("<i", ident))
        assert self.line() == "hello, server ping!"

    def line(self):
        while b"\0" not in self.rest:
            data = self.socket.recv(4096)
            assert data, "its connection has ended"
            self.rest += data
        line, self.rest = self.rest.split(b"\0", 1)
        return line.decode()

    def worker(self):
        """The process that serves it."""
        self.socket.sendall(b"W")
        while not (line := self.line()).startswith("worker="):
            pass
        return int(dict(word.split("=", 1) for word in line.split())["pid"])


class SystemdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        (cls.folder / "run").mkdir(mode=0o700)
        units = cls.folder / "home/.config/systemd/user"
        units.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        config = cls.folder / "mpbroker.ini"
        config.write_text("workers = 2\ndrain-timeout = 1s\n[listener main]\nprotocol = control\n"
                          f"listen = 127.0.0.1:{cls.port}\n")
        (units / "mpbroker.service").write_text(make_unit(BIN, config, cls.folder / "log"))
        os.environ.update(XDG_RUNTIME_DIR=str(cls.folder / "run"), HOME=str(cls.folder / "home"))
        os.environ.pop("MPBROKER_HOLDER", None)
        cls.log = open(cls.folder / "log", "ab")
        cls.addClassCleanup(cls.log.close)
        cls.systemd = subprocess.Popen([SYSTEMD, "--user", "--log-target=console",
                                        "--unit=basic.target"], stdout=cls.log, stderr=cls.log)
        cls.addClassCleanup(cls.systemd.wait, PATIENCE)
        cls.addClassCleanup(cls.systemd.kill)
        eventually(lambda: cls.systemctl("is-active", "basic.target", check=False) == "active")

    @classmethod
    def systemctl(cls, *words, check=True):
        done = subprocess.run(["systemctl", "--user", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
        assert not check or done.returncode == 0, done.stdout
        return done.stdout.strip()

    def show(self, name):
        return self.systemctl("show", "-p", name, "--value", "mpbroker.service")

    def setUp(self):
        self.addCleanup(self.end)
        self.systemctl("start", "mpbroker.service")

    def end(self):
        self.systemctl("stop", "mpbroker.service")
        if any(error for _, error in self._outcome.result.failures + self._outcome.result.errors):
            print((self.folder / "log").read_text()[-6000:], file=sys.stderr)

    def next_broker(self, before):
        return eventually(lambda: (pid := int(self.show("MainPID"))) not in (0, before) and
                          self.show("ActiveState") == "active" and pid)

    def test_a_killed_broker_is_replaced_and_nobody_notices(self):
        clients = [Client(self.port, ident) for ident in range(8)]
        workers = [client.worker() for client in clients]
        self.assertGreater(int(self.show("NFileDescriptorStore")), 4)
        pid = int(self.show("MainPID"))
        for round_number in range(7):  # more than systemd's own start limit
            os.kill(pid, signal.SIGKILL)
            pid = self.next_broker(pid)
            self.assertEqual([client.worker() for client in clients], workers)
            late = Client(self.port, round_number)
            self.assertEqual(late.worker(), workers[round_number], "a key has one owner")
            late.socket.close()
        self.assertEqual(int(self.show("NRestarts")), 7)

    def test_one_that_hangs_is_replaced(self):
        client = Client(self.port, 1)
        worker = client.worker()
        pid = int(self.show("MainPID"))
        os.kill(pid, signal.SIGSTOP)
        self.next_broker(pid)
        self.assertEqual(client.worker(), worker)

    def test_a_reload_changes_no_process(self):
        client = Client(self.port, 1)
        pid, worker = int(self.show("MainPID")), client.worker()
        self.systemctl("reload", "mpbroker.service")
        self.assertEqual((int(self.show("MainPID")), client.worker()), (pid, worker))

    def test_a_stop_leaves_nothing(self):
        client = Client(self.port, 1)
        workers = [client.worker(), int(self.show("MainPID"))]
        os.kill(workers[1], signal.SIGKILL)
        workers.append(self.next_broker(workers[1]))
        self.systemctl("stop", "mpbroker.service")
        self.assertEqual(client.socket.recv(100), b"")
        eventually(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers))
        self.assertEqual(self.show("NFileDescriptorStore"), "0")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port), PATIENCE)


def prepare_namespaces():
    """What systemd wants to find, in mounts that nobody else sees."""
    def mount(*words):
        return subprocess.run(["mount", *words], check=False, stderr=subprocess.DEVNULL).returncode
    mount("-t", "tmpfs", "none", "/run")
    os.makedirs("/run/systemd/system")
    mount("-t", "tmpfs", "none", "/sys/fs/cgroup")
    for name in ("systemd", "unified"):
        os.mkdir(f"/sys/fs/cgroup/{name}")
    mount("-t", "cgroup", "-o", "none,name=systemd", "none", "/sys/fs/cgroup/systemd")
    mount("-t", "cgroup2", "none", "/sys/fs/cgroup/unified")


def why_not():
    if os.geteuid() != 0:
        return "it needs root for namespaces"
    if not os.path.exists(SYSTEMD) or not shutil.which("systemctl"):
        return "systemd is not installed"
    tried = subprocess.run(["unshare", "-m", "-p", "-f", "-C", "--mount-proc", "true"],
                           stderr=subprocess.PIPE, text=True, check=False)
    return tried.stderr.strip() if tried.returncode != 0 else ""


if __name__ == "__main__":
    BIN = pathlib.Path(sys.argv.pop(1)).resolve()
    if os.environ.get("MPB_SYSTEMD_TEST") != "inside":
        if reason := why_not():
            print("skipped:", reason)
            sys.exit(SKIPPED)
        os.environ["MPB_SYSTEMD_TEST"] = "inside"
        os.execvp("unshare", ["unshare", "-m", "-p", "-f", "-C", "--mount-proc", "--kill-child",
                              sys.executable, __file__, BIN, *sys.argv[1:]])
    prepare_namespaces()
    unittest.main()
