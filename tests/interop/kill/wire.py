"""A small fast STOMP 1.2 client on a plain socket: what a load of many clients needs and no more.

It checks by itself that receipts come in order, once each and only when asked for (I10). It must not know what the
frames mean to the test.
"""

import socket
import threading
from collections import deque


class ReceiptOrder(Exception):
    """A receipt came that is not the next one asked for."""


class Refused(Exception):
    """The broker sent an ERROR, whose headers are kept."""

    def __init__(self, command, headers, body=b""):
        super().__init__(f"{command}: {headers.get('message')}: {body.decode(errors='replace')}")
        self.headers = headers


class Wire:
    """One connection. Frames are gathered by `put` and leave with `flush`; `frames` returns what has come."""

    def __init__(self, port, timeout=20, login=None, tls=None, receive_bytes=None, first_receipt=1):
        """`login` is headers for CONNECT, `tls` the context of an `ssl` client; receipts are numbered from the first on."""
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._writing = threading.Lock()
        self._out, self._in, self._receipts, self._asked = [], b"", deque(), first_receipt - 1
        self.put("CONNECT", {"accept-version": "1.2", "host": "localhost", **(login or {})})
        self.flush()
        self._come = deque()
        command, headers, _ = self.frame()
        if command != "CONNECTED":
            raise Refused(command, headers)

    def put(self, command, headers, body=b"", then=None):
        """Adds a frame; with `then`, asks for a receipt and returns `then` from `frames` when it comes."""
        lines = [command] + [f"{name}:{value}" for name, value in headers.items()]
        if then is not None:
            self._asked += 1
            self._receipts.append((str(self._asked), then))
            lines.append(f"receipt:{self._asked}")
        if body:
            lines.append(f"content-length:{len(body)}")
        self._out.append("\n".join(lines).encode() + b"\n\n" + body + b"\0")

    def flush(self):
        data, self._out = b"".join(self._out), []
        if data:
            with self._writing:
                self.socket.sendall(data)

    def beat(self):
        """Sends a heart-beat, between two frames; another thread may do that."""
        with self._writing:
            self.socket.sendall(b"\n")

    @property
    def unconfirmed(self):
        return len(self._receipts)

    def frame(self):
        """The next frame as (command, headers, body); for RECEIPT the body is the `then` of its question.

        Raises `Refused` for an ERROR and `ConnectionError` at the end of the connection.
        """
        while not self._come:
            self._read()
        frame = self._come.popleft()
        if frame[0] == "ERROR":
            raise Refused(*frame)
        return frame

    def frames(self):
        """All frames that have come, at least one; an ERROR among them waits for the next call."""
        come = [self.frame()]
        while self._come and self._come[0][0] != "ERROR":
            come.append(self._come.popleft())
        return come

    def close(self):
        self.socket.close()

    def _read(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the broker closed")
        self._in += data
        start = 0
        while (end := self._frame_end(start)) is not None:
            start = end
        self._in = self._in[start:]

    def _frame_end(self, start):
        while self._in[start : start + 1] in (b"\n", b"\r"):
            start += 1
        head_end = self._in.find(b"\n\n", start)
        if head_end < 0:
            return None
        lines = self._in[start:head_end].decode().split("\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(unescaped(name), unescaped(value))
        body_start = head_end + 2
        length = headers.get("content-length")
        end = body_start + int(length) if length is not None else self._in.find(b"\0", body_start)
        if end < 0 or end >= len(self._in):
            return None
        self._come.append(self._understood(lines[0], headers, self._in[body_start:end]))
        return end + 1

    def _understood(self, command, headers, body):
        if command != "RECEIPT":
            return command, headers, body
        if "x-refused" in headers:  # none of these clients settles what it does not hold
            raise Refused(f"a frame without effect: {headers['x-refused']}")
        expected, then = self._receipts.popleft() if self._receipts else (None, None)
        if headers["receipt-id"] != expected:
            raise ReceiptOrder(f"receipt {headers['receipt-id']} where {expected} is due")
        return command, headers, then


def unescaped(text):
    if "\\" not in text:
        return text
    parts = text.split("\\\\")
    return "\\".join(p.replace("\\c", ":").replace("\\n", "\n").replace("\\r", "\r") for p in parts)
