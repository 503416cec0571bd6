"""What the cases of this folder stand on: a broker that is ended with the test, its clients, its configuration."""

import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from broker import Broker, wait_until
from wire import Refused, Wire

SPARES = 3


class Case(unittest.TestCase):
    """A test that may start brokers, connect clients and run them in threads; all of it ends with the test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kolejka-faults-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def broker(self, **options):
        """A broker that is not started yet, on the data directory of this test."""
        options.setdefault("data", str(self.folder / "data"))
        broker = Broker(**options)
        self.addCleanup(broker.close)
        return broker

    def prepare(self):
        """Makes the data directory with all its spare segments, so that a traced broker does not fill files with zeros."""
        with self.broker() as broker:
            spares = Path(broker.data)
            wait_until(lambda: len(list(spares.glob("spare-*"))) == SPARES, what="the pool of spare segments")
            broker.stop()

    def config(self, text):
        """A configuration file of that text; always the same file."""
        path = self.folder / "kolejka.toml"
        path.write_text(text)
        return path

    def wire(self, broker, **options):
        wire = Wire(broker.port, **options)
        self.addCleanup(wire.close)
        return wire

    def send(self, wire, queue, bodies, headers=None, window=64):
        """Sends all of them with receipts, and returns when all receipts have come."""
        for body in bodies:
            wire.put("SEND", {"destination": queue, **(headers or {})}, body, then=body)
            if wire.unconfirmed >= window:
                wire.flush()
                wire.frames()
        settle(wire)

    def take(self, wire, queue, count, ack=True):
        """Takes that many messages, as a list of (headers, body): acknowledged with receipts, or held."""
        subscribe(wire, queue, prefetch=max(count, 1))
        taken = []
        while len(taken) < count or wire.unconfirmed:
            for command, headers, body in wire.frames():
                if command == "MESSAGE":
                    taken.append((headers, body))
                    if ack:
                        wire.put("ACK", {"id": headers["ack"]}, then="ack")
            wire.flush()
        if ack:
            wire.put("UNSUBSCRIBE", {"id": "s"}, then="unsubscribed")
            settle(wire)
        return taken

    def drain(self, broker, queue):
        """Takes everything up to a message that is sent last, as a list of (headers, body)."""
        wire = self.wire(broker)
        subscribe(wire, queue, prefetch=1000)
        wire.put("SEND", {"destination": queue, "last": "yes"}, b"last", then="last")
        wire.flush()
        taken, ended = [], False
        while not ended or wire.unconfirmed:
            for command, headers, body in wire.frames():
                if command == "MESSAGE":
                    wire.put("ACK", {"id": headers["ack"]}, then="ack")
                    ended = ended or "last" in headers
                    if "last" not in headers:
                        taken.append((headers, body))
            wire.flush()
        wire.close()
        return taken

    def error_of(self, wire):
        """The headers of the ERROR that must come, whatever comes before it; the connection ends behind it."""
        with self.assertRaises(Refused) as caught:
            while True:
                wire.frame()
        with self.assertRaises(ConnectionError):
            wire.frame()
        return caught.exception.headers

    def start(self, function, *arguments):
        """Runs it in a thread; the test fails if it raises, and waits for it with the result's `join`."""
        thread = Thread(function, arguments)
        thread.start()
        self.addCleanup(thread.join)
        return thread


class Thread(threading.Thread):
    """A thread that hands its exception to whoever joins it first."""

    def __init__(self, function, arguments):
        super().__init__(daemon=True)
        self.function, self.arguments, self.problem = function, arguments, None

    def run(self):
        try:
            self.function(*self.arguments)
        except BaseException as problem:  # told by join
            self.problem = problem

    def join(self, timeout=60):
        super().join(timeout)
        if self.is_alive():
            raise AssertionError(f"{self.function.__name__} is still at work")
        problem, self.problem = self.problem, None
        if problem:
            raise problem


def subscribe(wire, queue, ack="client-individual", prefetch=1000, name="s"):
    wire.put("SUBSCRIBE", {"destination": queue, "id": name, "ack": ack, "prefetch-count": prefetch})
    wire.flush()


def settle(wire):
    """Waits for all receipts; MESSAGEs that come meanwhile are returned."""
    wire.flush()
    others = []
    while wire.unconfirmed:
        others += [frame for frame in wire.frames() if frame[0] != "RECEIPT"]
    return others


def run(*command):
    """A command that must succeed: its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
