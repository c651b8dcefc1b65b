"""What others pass between processes, beside letters: Node's cluster and Redis's pub/sub."""

import os
import shutil
import socket
import subprocess
import time

from . import processes
from .processes import Program

# The master passes on what one worker sends to another.
NODE = """
const cluster = require('cluster');
const [, , size, ms] = process.argv;
if (cluster.isPrimary) {
  const a = cluster.fork(), b = cluster.fork();
  a.on('message', m => b.send(m));
  b.on('message', m => { console.log(m / (ms / 1000)); process.exit(0); });
  b.once('online', () => a.send('go'));
} else if (cluster.worker.id === 1) {
  process.on('message', () => {
    const payload = 'x'.repeat(+size), end = Date.now() + +ms;
    const pour = () => {
      for (let i = 0; i < 64; ++i) process.send(payload);
      Date.now() < end ? setImmediate(pour) : process.send('end');
    };
    pour();
  });
} else {
  let count = 0;
  process.on('message', m => { m === 'end' ? process.send(count) : ++count; });
}
"""
PIPELINE = 16  # commands that redis-benchmark has under way: as many as the hub takes in a call


def find(*names):
    return next((path for path in map(shutil.which, names) if path), None)


def node(size, seconds, scratch):
    """Letters a second from worker to worker; None: there is no Node here."""
    program = find("nodejs", "node")
    if not program:
        return None
    script = os.path.join(scratch, "cluster.js")
    with open(script, "w", encoding="ascii") as file:
        file.write(NODE)
    done = subprocess.run([program, script, str(size), f"{seconds * 1000:.0f}"],
                          capture_output=True, text=True, check=True, timeout=seconds * 10 + 60)
    return float(done.stdout)


def redis(size, seconds, scratch):
    """Messages a second from one publisher to one subscriber; None: there is no Redis here."""
    server, load = find("redis-server"), find("redis-benchmark")
    if not server or not load:
        return None
    port = processes.free_port()
    program = Program("redis-server", [
        server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        "--dir", scratch])
    publisher = None
    try:
        subscriber = subscribe(port, program)
        publisher = Program("redis-benchmark", [
            load, "-p", port, "-c", 1, "-P", PIPELINE, "-n", 1_000_000_000, "-q",
            "publish", "load", "x" * size])
        subscriber.recv(1)
        return received(subscriber, seconds) / seconds / len(pushed("load", size))
    finally:
        if publisher:
            publisher.end()
        program.end()


def pushed(channel, size):
    """What a subscriber is sent for each message."""
    return (f"*3\r\n$7\r\nmessage\r\n${len(channel)}\r\n{channel}\r\n"
            f"${size}\r\n{'x' * size}\r\n").encode()


def subscribe(port, program):
    links = []

    def connects():
        try:
            links.append(socket.create_connection(("127.0.0.1", port), timeout=20))
            return True
        except OSError:
            return False

    processes.wait_until(connects, 15, "redis-server listens", program)
    links[0].sendall(b"SUBSCRIBE load\r\n")
    links[0].recv(4096)
    return links[0]


def received(link, seconds):
    """Bytes in that time."""
    buffer, count, end = bytearray(1 << 20), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        count += link.recv_into(buffer)
    return count
