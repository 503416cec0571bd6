"""What the reader of a section of `docs/` has at hand when he pastes its Python: a connection, and names for what is his.

Every connection that the section makes itself is watched too: an ERROR of the broker ends the program with status 3, and at
the end each connection must still answer a receipt, which covers all frames before it.
"""

import atexit
import json
import os
import queue
import threading

import stomp

PORT = int(os.environ["KOLEJKA_PORT"])
SECONDS = 10
watched = []


class Watch(stomp.ConnectionListener):
    def __init__(self):
        self.receipts = queue.Queue()

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])

    def on_error(self, frame):
        print("ERROR:", frame.headers.get("message"), frame.body, flush=True)
        os._exit(3)


def watch(kind):
    def connect(*arguments, **options):
        connection, listener = kind(*arguments, **options), Watch()
        connection.set_listener("watch", listener)
        connection.set_listener("job", job)
        watched.append((connection, listener))
        return connection

    return connect


stomp.Connection, stomp.Connection11, stomp.Connection12 = map(watch, [stomp.Connection, stomp.Connection11, stomp.Connection12])


@atexit.register
def all_is_well():
    for connection, listener in watched:
        if connection.is_connected():
            connection.send("/queue/end-of-page", "", receipt="end-of-page")
            while listener.receipts.get(timeout=SECONDS) != "end-of-page":
                pass
    print("page read", flush=True)


class Latest(stomp.ConnectionListener):
    """The job that came last; whoever asks for its headers waits for the first."""

    def __init__(self):
        self._came, self._frame = queue.Queue(), None

    def on_message(self, frame):
        if "x-job-id" in frame.headers:
            self._came.put(frame)

    def __getattr__(self, name):
        while self._frame is None or not self._came.empty():
            self._frame = self._came.get(timeout=SECONDS)
        return getattr(self._frame, name)


class Listener(stomp.ConnectionListener):
    pass


def work(*what):
    pass


deploy = work


job = Latest()
c = conn = stomp.Connection12([("localhost", PORT)])
conn.connect(wait=True)
body, number = json.dumps({"to": "ann@example.com"}), 17
order = {"number": number}
done = threading.Event()
