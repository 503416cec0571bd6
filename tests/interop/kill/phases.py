"""Kills at named moments: during a start, at a change of segments, while segments are given back, copied or checkpointed.

A kill after some milliseconds rarely falls into these. strace sends SIGKILL with the n-th call of one kind that a thread
makes; its trace says which file that was, and so which phase was hit. Copying and checkpoints are told in the log at the
level debug, and the kill comes with that line. What was not hit is not counted.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from broker import Broker, BrokerError, wait_until

# What a start changes its directory with; the thread that opens it makes three or more of each.
CALLS = ["pwrite64", "fdatasync", "fsync", "rename"]
BULK_BYTES = 256 << 10
HIT_SECONDS = 30
TOLD = {"copying": "a segment was emptied", "checkpoint": "a checkpoint begins"}
# Of every so many large messages one small one of another queue stays, so that segments have something to copy.
KEPT_EVERY = 40


def has_strace():
    return shutil.which("strace") is not None


class Phases:
    """How often each phase was hit."""

    def __init__(self):
        self.hits = {"start": 0, "roll": 0, "give back": 0, "copying": 0, "checkpoint": 0}
        self.longest_chain = 0

    def killed_start(self, data, config, call, number):
        """A start that is killed at that call of the thread that opens the directory; whether it was."""
        with traced(data, config, call, number) as (broker, trace):
            try:
                broker.start()
            except BrokerError:
                # It would have said why, had it ended by itself.
                hit = "ready in" not in broker.output() and "+++ killed by SIGKILL" in trace.read_text()
                self.hits["start"] += hit
                return hit
        return False

    def chain(self, data, config, dice, length):
        """So many starts one after the other that are all killed before they are ready."""
        killed = tried = 0
        while killed < length and tried < 4 * length:
            tried += 1
            killed += self.killed_start(data, config, dice.choice(CALLS), dice.randint(1, 3))
        self.longest_chain = max(self.longest_chain, killed)
        return killed

    def killed_at_work(self, data, config, number, work):
        """A life under load that changes segments, until the n-th renaming of a file by one thread, which ends it."""
        with tempfile.TemporaryDirectory(prefix="kolejka-trace-") as folder, Broker(data=data, config=config) as broker:
            trace = Path(folder) / "trace"
            pid = broker.process.pid
            tracer = subprocess.Popen([*STRACE, str(trace), *injected("rename", number), "-p", str(pid)])
            wait_until(lambda: "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text(), what="being traced")
            with under_load(broker.port, work):
                try:
                    was_hit = broker.process.wait(HIT_SECONDS) == -signal.SIGKILL
                except subprocess.TimeoutExpired:
                    was_hit = False
                broker.kill()
                tracer.wait(10)
            last = re.findall(r'rename\("[^"]*/([a-z]+)-[^"]*", "[^"]*/([a-z]+)-[^"]*"', trace.read_text())
            if was_hit and last:
                self.hits["roll" if last[-1] == ("spare", "seg") else "give back"] += 1

    def killed_when_told(self, data, config, phase, work):
        """A life under load until the log says that the phase is reached, which ends it."""
        with Broker(data=data, config=config, wrapper=["env", "KOLEJKA_LOG=warn,kolejka::journal=debug"]) as broker:
            with under_load(broker.port, work):
                end = time.monotonic() + HIT_SECONDS
                while TOLD[phase] not in broker.output() and time.monotonic() < end:
                    time.sleep(0.001)
                self.hits[phase] += TOLD[phase] in broker.output()
                broker.kill()


@contextmanager
def under_load(port, work):
    """What changes segments quickly, beside the clients of the history; all of them have ended behind it."""
    stop = threading.Event()
    threads = [threading.Thread(target=one, args=(port, stop), daemon=True) for one in (fill, take)]
    for thread in threads:
        thread.start()
    threads += work(port)
    yield
    stop.set()
    for thread in threads:
        thread.join(30)


STRACE = ["strace", "-f", "-q", "-o"]


def injected(call, number):
    """SIGKILL with that call."""
    return ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]


class traced:
    """A broker on that directory, under strace."""

    def __init__(self, data, config, call, number):
        self.folder = tempfile.TemporaryDirectory(prefix="kolejka-trace-")
        self.trace = Path(self.folder.name) / "trace"
        wrapper = [*STRACE, str(self.trace), *injected(call, number)]
        self.broker = Broker(data=data, config=config, wrapper=wrapper)

    def __enter__(self):
        return self.broker, self.trace

    def __exit__(self, *_):
        end(self.broker)
        self.folder.cleanup()


def end(broker):
    """Ends the traced process first: without strace it would go on by itself."""
    if broker.process and broker.process.poll() is None:
        pid = broker.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        broker.process.wait(10)
    broker.kill()


def connect(port):
    one = socket.create_connection(("127.0.0.1", port), 10)
    one.sendall(b"CONNECT\naccept-version:1.2\nhost:h\nheart-beat:0,0\n\n\0")
    return one


def fill(port, stop):
    """Sends large messages, which no history follows, as fast as they are taken."""
    frame = b"SEND\ndestination:/queue/bulk\npersistent:true\ncontent-length:%d\n\n" % BULK_BYTES
    frame += bytes(BULK_BYTES) + b"\0"
    kept = b"SEND\ndestination:/queue/kept\npersistent:true\n\nkept\0"
    try:
        with connect(port) as one:
            while not stop.is_set():
                one.sendall(frame * KEPT_EVERY + kept)
    except OSError:
        pass


def take(port, stop):
    """Takes them, so that segments are given back."""
    try:
        with connect(port) as one:
            one.sendall(b"SUBSCRIBE\ndestination:/queue/bulk\nid:b\nack:auto\n\n\0")
            one.settimeout(1)
            while not stop.is_set():
                try:
                    if not one.recv(1 << 20):
                        return
                except TimeoutError:
                    pass
    except OSError:
        pass
