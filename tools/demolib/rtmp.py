"""Live streams of two vhosts: each in one worker, played through the other."""

import json
import os
import subprocess

from .broker import Broker, Failure, end_program
from .text import milliseconds, table

VHOSTS = ("demo0.test", "demo1.test")
PLAYERS = 40
PLAYERS_PER_SECOND = 20
STAY_SECONDS = 3
TRIES = 20
FRAME = os.path.join("build", "demo-frame.png")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
QUIET = ("-nostdin", "-hide_banner", "-loglevel", "error")


class Publisher:
    """ffmpeg, which makes a test picture and a tone and publishes them."""

    def __init__(self, url, log):
        self.log = log
        command = ["ffmpeg", *QUIET, "-re",
                   "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30",
                   "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100",
                   "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
                   "-pix_fmt", "yuv420p", "-g", "60", "-b:v", "1M", "-c:a", "aac", "-f", "flv", url]
        with open(log, "wb") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=file, start_new_session=True)

    def check_alive(self):
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                raise Failure("a publisher ended:\n" + file.read()[-1500:])


def run_program(command):
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if ran.returncode != 0:
        raise Failure(f"{' '.join(command)}\nended with code {ran.returncode}:\n"
                      + ran.stderr.decode(errors="replace")[-1500:])
    return ran.stdout.decode()


def is_picture(path):
    with open(path, "rb") as file:
        return file.read(len(PNG_SIGNATURE)) == PNG_SIGNATURE


class Demonstration:
    """A broker that relays RTMP, and a publisher for each vhost."""

    def __init__(self, bin_dir):
        self.broker = Broker(bin_dir, "--protocol", "rtmp", "--handler", "relay")
        self.publishers = []
        self.address = None

    def publish_url(self, vhost):
        """The vhost is in the app: whose the client is shows before connect is answered."""
        return f"rtmp://{self.address}/live?vhost={vhost}/test"

    def play_url(self, vhost):
        """The vhost is in the stream's name: it shows when connect has been answered."""
        return f"rtmp://{self.address}/live/test?vhost={vhost}"

    def run(self):
        """Publishes and plays, prints the report, returns what went wrong."""
        self.address = self.broker.wait_until_online()
        print(f"\nmpbroker relays RTMP at {self.address}; ffmpeg publishes to two vhosts ...",
              flush=True)
        for vhost in VHOSTS:
            log = os.path.join(self.broker.folder, f"{vhost}.log")
            self.publishers.append(Publisher(self.publish_url(vhost), log))
        owners = self.await_streams()
        streams, report = self.play()
        workers = self.workers_after(len(VHOSTS) + PLAYERS)
        frame = os.path.abspath(FRAME)
        for part in (self.who_has_what(streams, workers),
                     self.first_picture(report),
                     self.picture_through_the_other_worker(owners, frame)):
            print("", *part, sep="\n", flush=True)
        return self.problems(report, workers, frame)

    def await_streams(self):
        """The slot of the worker that has each vhost, once pictures and sound have come."""
        def complete(answer):
            for publisher in self.publishers:
                publisher.check_alive()
            return sum(s["video"] != "" and s["audio"] != "" and s["kbps_in"] > 0
                       for s in answer["streams"]) == len(VHOSTS)
        answer = self.broker.wait_for("the streams are there", complete, "streams")
        return {stream["vhost"]: stream["slot"] for stream in answer["streams"]}

    def play(self):
        """Has players come and stay. Gives the table of streams meanwhile, and mprtmp's report."""
        path = os.path.join(self.broker.folder, "play.json")
        command = [self.broker.program("mprtmp"), "--connect", self.address, "--play",
                   "--vhosts", str(len(VHOSTS)), "--vhost", "demo%d.test", "--stream", "test",
                   "--clients", str(PLAYERS), "--rate", str(PLAYERS_PER_SECOND),
                   "--hold", f"{STAY_SECONDS}s", "--json", path]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as players:
            try:
                self.broker.wait_for("all players play", lambda answer: sum(
                    stream["players"] for stream in answer["streams"]) == PLAYERS, "streams")
                streams = run_program(self.broker.mpctl("streams"))
                players.wait(30)
            finally:
                end_program(players)
        with open(path, encoding="utf-8") as file:
            return streams, json.load(file)

    @staticmethod
    def who_has_what(streams, workers):
        rows = [("worker", "accepted", "moved out", "moved in")]
        rows += [(str(w["slot"]), str(w["accepted"]), str(w["handoffs"]["out"]),
                  str(w["handoffs"]["in"])) for w in workers]
        return [f"RTMP: {len(VHOSTS)} publishers and {PLAYERS} players, by mpctl streams", "",
                *("  " + line for line in streams.splitlines()), "",
                "  All came to one port. Whichever worker accepted a client, it is where its vhost "
                "is:", "", *table(rows)]

    @staticmethod
    def first_picture(report):
        columns = ("p50", "p90", "max")
        rows = [("since the player began to connect", *columns)]
        for name, text in (("connect", "connection stands"), ("accepted", "connect is answered"),
                           ("first_key", "first key frame is there, whole")):
            rows.append((text, *(milliseconds(report["latency_us"][name][column])
                                 for column in columns)))
        return ["How soon a player has something to show", "", *table(rows)]

    def workers_after(self, clients):
        """The workers' counters, when so many clients have been accepted in all."""
        return self.broker.wait_for(f"{clients} clients are counted", lambda status: sum(
            worker["accepted"] for worker in status["workers"]) >= clients)["workers"]

    def picture_through_the_other_worker(self, owners, path):
        """Plays until the worker that accepted was not the one that has the stream."""
        clients = len(VHOSTS) + PLAYERS
        before = self.workers_after(clients)
        for number in range(TRIES):
            vhost = VHOSTS[number % len(VHOSTS)]
            run_program(["ffmpeg", *QUIET, "-y", "-i", self.play_url(vhost), "-frames:v", "1",
                         path])
            clients += 1
            after = self.workers_after(clients)
            accepted_by = next(new["slot"] for old, new in zip(before, after)
                               if new["accepted"] > old["accepted"])
            before = after
            if accepted_by != owners[vhost]:
                return ["A picture, through the other worker", "",
                        f"  ffmpeg played {self.play_url(vhost)}",
                        f"  Worker {accepted_by} accepted it, answered connect, and learned the "
                        "vhost from the stream's name:",
                        f"  so the client was moved to worker {owners[vhost]}, which has the "
                        "stream. What was decoded then:", "", f"    {path}"]
        raise Failure(f"{TRIES} players were all accepted by the worker that has their stream")

    def problems(self, report, workers, frame):
        found = [f"{report['players'][member]} players {text}"
                 for member, text in (("lost", "were lost"), ("wrong", "got another stream"),
                                      ("unfinished", "got no picture"))
                 if report["players"][member] > 0]
        found += report["samples"]
        if not any(worker["handoffs"]["out"] for worker in workers):
            found.append("no player was moved")
        if not is_picture(frame):
            found.append(f"{frame} is not a PNG file")
        for publisher in self.publishers:
            publisher.check_alive()
        return found

    def how_to_go_on(self):
        pids = " ".join(str(publisher.process.pid) for publisher in self.publishers)
        return [
            f"mpbroker with pid {self.broker.process.pid} relays RTMP at {self.address}, and ffmpeg "
            f"publishes (pids {pids}).",
            "Play, where there is a screen; publish, to a vhost of your own; look at it:",
            "",
            f"    ffplay '{self.play_url(VHOSTS[0])}'",
            f"    ffmpeg -re -i FILE -c copy -f flv '{self.play_url('my.test')}'",
            f"    {' '.join(self.broker.mpctl('streams'))}",
            f"    {self.broker.program('mprtmp')} --connect {self.address} --play --clients 100 \\",
            "        --vhosts 2 --vhost demo%d.test --stream test --duration 10s",
            "",
            "Stop it:",
            "",
            f"    kill {pids}",
            f"    {' '.join(self.broker.mpctl('stop'))} && rm -r {self.broker.folder}",
        ]

    def end(self):
        for publisher in self.publishers:
            end_program(publisher.process)
        self.broker.end()
