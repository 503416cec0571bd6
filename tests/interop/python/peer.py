"""A stomp.py connection with its callbacks turned into values that a test can wait for."""

import itertools
import logging
import os
import queue
import socket
from urllib.parse import urlsplit

import stomp
from stomp.adapter.ws import WSStompConnection

PATIENCE_SECONDS = 5
SILENCE_SECONDS = 0.2
_numbers = itertools.count(1)
# Its threads complain of sockets that tests have ended on purpose.
logging.getLogger("stomp.py").setLevel(logging.CRITICAL)


def fresh(kind="queue"):
    """A destination that nobody else uses."""
    return f"/{kind}/py.{os.getpid()}.{next(_numbers)}"


def address():
    return [(os.environ["KOLEJKA_HOST"], int(os.environ["KOLEJKA_PORT"]))]


class Peer(stomp.ConnectionListener):
    """One connection; messages, receipts and errors wait in queues until a test asks for them."""

    def __init__(self, version, heart_beat=(0, 0)):
        self.version = version
        self.messages, self.receipts, self.errors, self.ends = queue.Queue(), queue.Queue(), queue.Queue(), queue.Queue()
        self.sessions, self.timed_out = queue.Queue(), False
        self.connection = self._connection(heart_beat)
        self.connection.set_listener("peer", self)
        self.connection.connect(os.environ.get("KOLEJKA_LOGIN"), os.environ.get("KOLEJKA_PASSCODE"))
        self.session = self.sessions.get(timeout=PATIENCE_SECONDS)

    def _connection(self, heart_beat):
        common = {"reconnect_attempts_max": 1, "auto_decode": False, "try_loopback_connect": False}
        if self.version == "1.0":
            return stomp.StompConnection10(address(), **common)
        common |= {"heartbeats": heart_beat, "vhost": os.environ.get("KOLEJKA_VHOST")}
        if self.version == "1.1":
            return stomp.StompConnection11(address(), **common)
        if self.version == "1.2":
            return stomp.StompConnection12(address(), **common)
        url = urlsplit(os.environ["KOLEJKA_WS"])
        return WSStompConnection(
            [(url.hostname, url.port)],
            ws_path=url.path,
            binary_mode=self.version == "binary WebSocket",
            header={"Sec-WebSocket-Protocol": "v12.stomp"},
            **common,
        )

    # what stomp.py calls

    def on_connected(self, frame):
        self.sessions.put(dict(frame.headers))

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])

    def on_error(self, frame):
        self.errors.put(frame)

    def on_disconnected(self):
        self.ends.put(True)

    def on_heartbeat_timeout(self):
        self.timed_out = True

    # what tests say

    def receipted(self, verb, *arguments, **headers):
        """Calls a verb of stomp.py with a receipt and waits for that very receipt."""
        receipt = f"r-{next(_numbers)}"
        verb(*arguments, receipt=receipt, **headers)
        assert self.receipts.get(timeout=PATIENCE_SECONDS) == receipt

    def send(self, destination, body, **headers):
        self.receipted(self.connection.send, destination, body, **headers)

    def subscribe(self, destination, ack="auto", id="s", **headers):
        self.receipted(self.connection.subscribe, destination, id, ack, **headers)

    def message(self):
        """The next MESSAGE."""
        return self.messages.get(timeout=PATIENCE_SECONDS)

    def silence(self, seconds=SILENCE_SECONDS):
        """No MESSAGE comes for a while."""
        try:
            frame = self.messages.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"a message where none is due: {frame}")

    def error(self):
        """The ERROR that must come, and the end of the connection behind it."""
        frame = self.errors.get(timeout=PATIENCE_SECONDS)
        self.ends.get(timeout=PATIENCE_SECONDS)
        return frame

    def ack(self, frame, **more):
        self._settle("ACK", frame, more)

    def nack(self, frame, **more):
        """Without the wait that the broker would choose."""
        self._settle("NACK", frame, {"x-delay": "0"} | more)

    def grant(self, messages, id="s"):
        """More credit for a subscription that pulls; with a receipt."""
        headers = {"subscription": id, "credit": str(messages)}
        self.receipted(lambda receipt: self.connection.send_frame("ACK", headers | {"receipt": receipt}))

    def _settle(self, verb, frame, more):
        """In the words of the version; with a receipt."""
        headers = dict(more)
        if self.version in ("1.0", "1.1"):
            headers["message-id"] = frame.headers["message-id"]
        if self.version == "1.1":
            headers["subscription"] = frame.headers["subscription"]
        if self.version not in ("1.0", "1.1"):
            headers["id"] = frame.headers["ack"]
        self.receipted(lambda receipt: self.connection.send_frame(verb, headers | {"receipt": receipt}))

    def leave(self):
        """DISCONNECT with a receipt; returns when it came."""
        self.receipted(self.connection.disconnect)

    def vanish(self):
        """Ends the socket without a word."""
        ours = self.connection.transport.socket
        try:
            getattr(ours, "sock", ours).shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # it has ended already
