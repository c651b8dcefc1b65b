"""What happens to a service while its clients are counted: deaths, stops, and the operator's
orders."""

import json
import os
import signal
import socket
import time

from benchlib.processes import Failure, fd_count

CONTROL_LIMIT = 20  # seconds for an answer


class Service:
    """An mpbroker under mpguard."""

    def __init__(self, program, control):
        self.program = program
        self.control = control
        self.refused = 0     # requests of the control socket that were
        self.replaced = []   # seconds from a broker's death to the next one's first answer

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONTROL_LIMIT)
            connection.connect(self.control)
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile().readline()
        if not line:
            raise OSError("the broker has ended meanwhile")
        return json.loads(line)

    def status(self):
        """Of the broker that is there, or comes."""
        for _ in range(100):
            try:
                return self.ask(command="status")
            except ConnectionRefusedError:
                self.refused += 1
            except OSError:
                pass  # it was killed with the question
            time.sleep(0.005)
        raise self.program.explain("it gives no answer")

    def broker(self):
        return self.status()["pid"]

    def workers(self):
        return {worker["slot"]: worker["pid"] for worker in self.status()["workers"]
                if worker.get("pid") and worker["state"] == "online"}

    def rest(self):
        """Descriptors and processes, once nobody is connected."""
        status = self.status()
        pids = [status["pid"], self.program.pid,
                *(worker["pid"] for worker in status["workers"] if worker.get("pid"))]
        return {"processes": len(pids), "descriptors": sum(fd_count(pid) for pid in pids),
                "rss_mib": round(sum(rss_kib(pid) for pid in pids) / 1024, 1)}


def rss_kib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmRSS")), 0)
    except OSError:
        return 0


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Events:
    """Each does one thing and says what, as one line."""

    def __init__(self, service, crowd, dice):
        self.service = service
        self.crowd = crowd
        self.dice = dice
        self.workers = 4
        self.kinds = {"broker": self.kill_broker, "broker-stop": self.stop_broker,
                      "worker": self.kill_worker, "worker-stop": self.stop_worker,
                      "both": self.kill_both, "zygote": self.kill_zygote, "drain": self.drain,
                      "reload": self.reload, "workers": self.resize, "pin": self.pin}

    def one(self, kinds):
        kind = self.dice.choice(kinds)
        return f"{kind}: {self.kinds[kind]()}"

    def kill_broker(self):
        pid = self.service.broker()
        return self._replace(pid, lambda: send(pid, signal.SIGKILL), f"SIGKILL to {pid}")

    def _replace(self, pid, action, text):
        begun = time.monotonic()
        action()
        while self.service.broker() == pid:
            pass
        self.service.replaced.append(time.monotonic() - begun)
        return text

    def stop_broker(self):
        pid = self.service.broker()
        send(pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.01, 0.2))
        send(pid, signal.SIGCONT)
        return f"SIGSTOP, SIGCONT to {pid}"

    def _some_worker(self):
        workers = self.service.workers()
        if not workers:
            return None, None
        slot = self.dice.choice(sorted(workers))
        return slot, workers[slot]

    def kill_worker(self):
        slot, pid = self._some_worker()
        if pid is None:
            return "none is online"
        self.crowd.note_killed(pid)
        number = self.dice.choice((signal.SIGKILL, signal.SIGSEGV))
        send(pid, number)
        return f"signal {int(number)} to worker {slot} ({pid})"

    def stop_worker(self):
        slot, pid = self._some_worker()
        if pid is None:
            return "none is online"
        send(pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.01, 0.1))
        send(pid, signal.SIGCONT)
        return f"SIGSTOP, SIGCONT to worker {slot} ({pid})"

    def kill_both(self):
        slot, pid = self._some_worker()
        if pid is None:
            return "none is online"
        self.crowd.note_killed(pid)
        broker = self.service.broker()

        def kill():
            send(pid, signal.SIGKILL)
            send(broker, signal.SIGKILL)
        return self._replace(broker, kill, f"SIGKILL to worker {slot} ({pid}) and to {broker}")

    def kill_zygote(self):
        pid = self.service.status().get("zygote", {}).get("pid")
        if not pid:
            return "there is none"
        send(pid, signal.SIGKILL)
        return f"SIGKILL to the zygote ({pid})"

    def _order(self, text, **request):
        try:
            answer = self.service.ask(**request)
        except OSError as why:
            return f"{text}: {why}"
        return text if answer.get("ok") else f"{text}: {answer.get('error')}"

    def drain(self):
        slot, pid = self._some_worker()
        if pid is None:
            return "none is online"
        self.crowd.note_killed(pid)  # its deadline closes those that stay
        return self._order(f"worker {slot}", command="drain", slot=slot)

    def reload(self):
        send(self.service.program.pid, signal.SIGHUP)
        return "SIGHUP"

    def resize(self):
        self.workers = self.dice.randrange(3, 7)
        for slot, pid in self.service.workers().items():
            if slot >= self.workers:
                self.crowd.note_killed(pid)  # it is drained, and its deadline closes its clients
        return self._order(f"{self.workers}", command="workers", count=self.workers)

    def pin(self):
        key = self.dice.randrange(1, 500)
        self.crowd.pinned.add(key)
        return self._order(f"key {key} to worker 0", command="route",
                           key=str(key), slots=[0])


def run(service, crowd, dice, count, kinds, pause):
    """All events in order; what each did."""
    events = Events(service, crowd, dice)
    done = []
    for _ in range(count):
        time.sleep(dice.uniform(*pause))
        done.append(events.one(kinds))
        if service.program.popen.poll() is not None:
            raise Failure("the service has ended: " + "; ".join(done[-3:]))
    return done
