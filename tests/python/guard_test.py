#!/usr/bin/env python3
"""mpguard and a program that dies, hangs and is told things. usage: guard_test.py BIN [TEST]..."""
import array
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
PROGRAM = pathlib.Path(__file__).resolve().parent / "guarded_program.py"
PATIENCE = 30  # seconds; reached by a failure alone


def eventually(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.005)


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Program:
    """The guarded program as it runs."""

    def __init__(self, link):
        self.lines = link.makefile("rw")
        self.link = link
        told = json.loads(self.lines.readline())
        self.pid, self.environment = told["pid"], told["environment"]

    def do(self, text):
        """Runs `text`; what it gives `result`."""
        self.tell(text)
        return json.loads(self.lines.readline())

    def tell(self, text):
        self.lines.write(json.dumps(text) + "\n")
        self.lines.flush()

    def die(self, how="os.kill(os.getpid(), signal.SIGKILL)"):
        self.tell(how)
        assert self.lines.readline() == "", "it is to end"


class GuardTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.pids = []
        self.addCleanup(self.end_all)
        self.path = self.folder.name + "/link"
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.settimeout(PATIENCE)

    def end_all(self):
        for pid in self.pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        if hasattr(self, "guard"):
            self.guard.wait(PATIENCE)

    def start(self, **given):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("NOTIFY_SOCKET", "MPBROKER_HOLDER")}
        environment.update(given.pop("environment", {}))
        program = given.pop("program", [sys.executable, PROGRAM])
        self.launch([BIN / "mpguard", *program, self.path], env=environment, **given)
        return self.next() if program[-1] == PROGRAM else None

    def launch(self, command, **given):
        self.log = open(self.folder.name + "/log", "w+b")
        self.addCleanup(self.log.close)
        self.guard = subprocess.Popen(command, stderr=self.log, **given)
        self.pids.append(self.guard.pid)

    def next(self):
        """The program, when it has started (again)."""
        link, _ = self.listener.accept()
        link.settimeout(PATIENCE)
        self.addCleanup(link.close)
        program = Program(link)
        self.pids.append(program.pid)
        return program

    def text(self):
        return pathlib.Path(self.log.name).read_text()

    def wait(self):
        return self.guard.wait(PATIENCE)

    # --- the end ----------------------------------------------------------------------------------
    def test_ends_as_the_program(self):
        for how, code in (("os._exit(0)", 0), ("os._exit(2)", 2), ("os._exit(77)", 77),
                          ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)):
            with self.subTest(how):
                self.start().die(how)
                self.assertEqual(self.wait(), code)

    def test_a_program_that_cannot_be_had(self):
        self.start(program=["/nonexistent/program"])
        self.assertEqual(self.wait(), 127)
        self.assertIn("/nonexistent/program", self.text())

    def test_usage(self):
        done = subprocess.run([BIN / "mpguard"], stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("started by mpbroker", done.stderr)

    def test_exit_0_is_the_end_also_of_one_that_was_ready(self):
        program = self.start()
        program.do("notify('READY=1'); barrier()")
        program.die("os._exit(0)")
        self.assertEqual(self.wait(), 0)

    def test_one_that_was_ready_is_started_again_however_it_ends(self):
        program = self.start()
        for how in ("os._exit(2)", "os.abort()", "os.kill(os.getpid(), signal.SIGKILL)"):
            program.do("notify('READY=1'); barrier()")
            program.die(how)
            program = self.next()
        self.assertEqual(self.text().count("event=restart"), 3)

    def test_one_that_has_kept_something_is_started_again_when_killed_but_not_when_it_fails(self):
        program = self.start()
        program.do("keep('mpb-a', b'a'); barrier()")
        program.die()
        self.next().die("os._exit(2)")
        self.assertEqual(self.wait(), 2)

    def test_fast_ends_are_delayed_and_never_given_up(self):
        program = self.start()
        program.do("notify('READY=1'); barrier()")
        for _ in range(9):
            program.die()
            program = self.next()
        delays = [int(line.split("in=")[1].split("ms")[0]) for line in self.text().splitlines()
                  if "event=restart" in line]
        self.assertEqual(delays[0], 0)
        self.assertEqual(delays[-7:-1], sorted(delays[-7:-1]))
        self.assertEqual(delays[-1], 500)

    def test_the_program_is_stopped_when_the_guard_is_killed(self):
        program = self.start()
        self.guard.kill()
        self.wait()
        eventually(lambda: program.do("result = signals") == [signal.SIGTERM])

    # --- what is kept -----------------------------------------------------------------------------
    def test_keeps_by_name_and_gives_to_the_next(self):
        program = self.start()
        self.assertEqual(program.do("result = kept()"), [["mpb-exits", ""]])
        program.do("keep('a', b'1'); keep('b', b'2'); keep('c', b'3'); keep('b', b'4'); barrier()")
        program.die()
        program = self.next()
        self.assertEqual(program.do("result = kept()"),
                         [["mpb-exits", ""], ["a", "1"], ["b", "2"], ["c", "3"], ["b", "4"]])
        program.do("[notify('FDSTOREREMOVE=1\\nFDNAME=' + name) for name in ('b', 'none', '')]")
        program.do("keep('d', b'5'); barrier()")
        program.die()
        self.assertEqual(sorted(self.next().do("result = kept()")),
                         [["a", "1"], ["c", "3"], ["d", "5"], ["mpb-exits", ""]])

    def test_several_in_one_message(self):
        program = self.start()
        program.do("notify('FDSTORE=1\\nFDNAME=x', [memory(b'1'), memory(b'2'), memory(b'3')])")
        program.do("barrier()")
        program.die()
        self.assertEqual(self.next().do("result = kept()")[1:], [["x", "1"], ["x", "2"], ["x", "3"]])

    def test_what_cannot_be_kept_is_closed(self):
        program = self.start()
        before = len(os.listdir(f"/proc/{self.guard.pid}/fd"))
        for text in ("FDSTORE=1\\nFDNAME=", "FDSTORE=1\\nFDNAME=a:b", "FDSTORE=1\\nFDNAME=" + "n" * 48,
                     "FDNAME=a", "STATUS=x", "", "=" * 5000):
            program.do(f"notify('{text}', [memory(b'1')]); barrier()")
        # Without a name it is kept, as systemd keeps it.
        self.assertEqual(len(os.listdir(f"/proc/{self.guard.pid}/fd")), before + 3)

    def test_many_until_it_is_full(self):
        program = self.start()
        program.do("import resource; fd = memory(b'1')\n"
                   "for i in range(4000): notify(f'FDSTORE=1\\nFDNAME=w{i}', [fd])\nbarrier()")
        program.die()
        program = self.next()
        self.assertEqual([name for name, _ in program.do("result = kept()")][1:],
                         [f"w{i}" for i in range(4000)])

    def test_names_that_would_fill_the_environment(self):
        program = self.start()
        program.do("fd = memory(b'1')\n"
                   "for i in range(3000): notify('FDSTORE=1\\nFDNAME=' + 'n' * 47, [fd])\nbarrier()")
        program.die()
        self.assertEqual(len(self.next().do("result = kept()")), 1 + 2499)
        self.assertIn("event=store.full", self.text())

    def test_only_the_program_is_heard(self):
        program = self.start()
        address = "\0" + program.environment["NOTIFY_SOCKET"][1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))]
            stranger.sendmsg([b"FDSTORE=1\nFDNAME=evil"], rights, 0, address)
            stranger.sendto(b"READY=1", address)
        program.do("child = os.fork()\nif child == 0:\n keep('evil', b'1')\n os._exit(0)\n"
                   "os.waitpid(child, 0); keep('good', b'2'); barrier()")
        program.die()
        program = self.next()
        self.assertEqual(program.do("result = kept()")[1:], [["good", "2"]])
        program.die("os._exit(3)")
        self.assertEqual(self.wait(), 3, "it was never ready")

    def test_sockets_of_its_own_start_are_passed_each_time(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            # The shell knows the number that mpguard will have, and passes the socket as 3.
            shell = ["/bin/sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@" '
                     f'3<&{listener.fileno()}', "sh"]
            self.launch([*shell, BIN / "mpguard", sys.executable, PROGRAM, self.path],
                        pass_fds=[listener.fileno()])
        program = self.next()
        look = ("s = socket.socket(fileno=os.dup(3)); result = "
                "[os.environ['LISTEN_FDNAMES'].split(':')[0], s.getsockname()[1]]")
        self.assertEqual(program.do(look), ["web", port])
        program.do("notify('READY=1'); barrier()")
        program.die()
        self.assertEqual(self.next().do(look), ["web", port])

    # --- processes that it adopts ------------------------------------------------------------------
    def test_reports_how_orphans_end(self):
        program = self.start()
        child = program.do("reading, writing = os.pipe(); result = os.fork()\n"
                           "if result == 0:\n os.close(writing); os.read(reading, 1); os._exit(42)")
        self.pids.append(child)
        program.do("keep('x', b''); barrier()")
        program.die()  # what it held open ends with it
        self.assertEqual(self.next().do("result = exits()"), [child, 42 << 8])

    # --- signals -----------------------------------------------------------------------------------
    def test_passes_signals_on(self):
        program = self.start()
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM):
            self.guard.send_signal(number)
            eventually(lambda: number in program.do("result = signals"))
        program.die("os._exit(5)")
        self.assertEqual(self.wait(), 5)

    def test_a_process_of_the_service_is_not_obeyed(self):
        program = self.start()
        child = program.do("guard = os.getppid(); child = result = os.fork()\n"
                           "if child == 0:\n os.kill(guard, signal.SIGTERM)\n time.sleep(60)\n"
                           " os._exit(0)")
        self.pids.append(child)
        eventually(lambda: "event=signal.ignored" in self.text())
        self.assertEqual(program.do("result = signals"), [])

    def test_a_stop_is_said_again_to_the_one_that_comes_next(self):
        program = self.start()
        program.do("notify('READY=1'); barrier()")
        self.guard.send_signal(signal.SIGTERM)
        eventually(lambda: program.do("result = signals") == [signal.SIGTERM])
        program.do("notify('READY=1'); barrier()")
        self.assertEqual(program.do("result = signals"), [signal.SIGTERM], "once is enough")
        program.die()
        program = self.next()
        self.assertEqual(program.do("result = signals"), [])
        program.do("notify('READY=1'); barrier()")
        eventually(lambda: program.do("result = signals") == [signal.SIGTERM])

    def test_a_stop_while_nothing_runs(self):
        program = self.start()
        program.do("notify('READY=1'); barrier()")
        while "in=200ms" not in self.text():
            program.die()
            program = self.next()
        program.die()
        eventually(lambda: "in=400ms" in self.text())
        self.guard.terminate()
        self.assertEqual(self.wait(), 0)

    # --- the watchdog ------------------------------------------------------------------------------
    def test_one_that_hangs_is_killed_and_started_again(self):
        program = self.start(environment={"WATCHDOG_USEC": "500000"})
        self.assertEqual(program.environment["WATCHDOG_USEC"], "500000")
        self.assertEqual(program.environment["WATCHDOG_PID"], str(program.pid))
        program.do("notify('READY=1'); barrier()")
        os.kill(program.pid, signal.SIGSTOP)
        second = self.next()
        self.assertFalse(is_alive(program.pid))
        self.assertIn("event=hung", self.text())
        self.assertNotEqual(second.pid, program.pid)

    def test_signs_of_life_are_any_message(self):
        program = self.start(environment={"WATCHDOG_USEC": "2000000"})
        program.do("notify('READY=1'); barrier()")
        program.do("end = time.monotonic() + 4\n"
                   "while time.monotonic() < end: notify('X_ALIVE=1'); time.sleep(.05)")
        self.assertNotIn("event=hung", self.text())

    # --- upward ------------------------------------------------------------------------------------
    def test_tells_its_own_manager_what_is_for_it(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(self.folder.name + "/notify")
            manager.settimeout(PATIENCE)
            program = self.start(environment={"NOTIFY_SOCKET": self.folder.name + "/notify"})
            program.do("keep('x', b'1'); notify('X_ALIVE=1'); notify('READY=1\\nSTATUS=2 online')")
            self.assertEqual(manager.recv(4096), b"READY=1\nSTATUS=2 online")
            program.do("notify('MAINPID=1\\nFDSTORE=1\\nSTOPPING=1')")
            self.assertEqual(manager.recv(4096), b"STOPPING=1")

    @unittest.skipIf(b"__asan_init" in (BIN / "mpguard").read_bytes(), "AddressSanitizer's memory")
    def test_what_it_costs(self):
        program = self.start()
        program.do("notify('READY=1'); barrier()")
        rollup = pathlib.Path(f"/proc/{self.guard.pid}/smaps_rollup").read_text().splitlines()
        private = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
        self.assertLess(private, 1024, "KiB")


if __name__ == "__main__":
    unittest.main()
