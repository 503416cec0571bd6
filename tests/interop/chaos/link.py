"""One connection between a client and the broker, through which what travels can be cut up, delayed, held and lost.

To the broker a client whose process is stopped, killed or cut off looks as its connection does; so this stands for all
of them. Nothing that has been lost here ever arrives later: when the client's end is closed, nothing reaches it any more.
"""

import socket
import struct
import threading
import time

CHUNK = 1 << 16
POLL_SECONDS = 0.05
RESET = struct.pack("ii", 1, 0)


class Link:
    """Listens on `port` for one client, and connects it to the broker.

    `manner`: plain, delayed (each piece some milliseconds), chunked (small pieces) or dribble (single bytes).
    """

    def __init__(self, broker_port, manner, dice):
        self.manner, self.dice = manner, dice
        self.flowing, self.dead = threading.Event(), False
        self.flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._broker_port, self._client, self._broker, self._pumps = broker_port, None, None, []
        self._opener = threading.Thread(target=self._open, daemon=True)
        self._opener.start()

    def hold(self):
        """Nothing passes, either way, until `resume`."""
        self.flowing.clear()

    def resume(self):
        self.flowing.set()

    def cut(self):
        """Ends the connection for the client, and loses what is on the way."""
        self.dead = True
        self.flowing.set()
        self._opener.join()
        for pump in self._pumps:
            pump.join()
        self._close(self._client)

    def leave(self, how):
        """Behind a `cut`: what the broker sees of it. `reset`, `closed`, or `silent`, which returns the open socket."""
        broker, self._broker = self._broker, None
        if how == "silent":
            return broker
        if how == "reset" and broker:
            broker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._close(broker)
        return None

    def _open(self):
        with self._listener:
            self._client, _ = self._listener.accept()
        self._broker = socket.create_connection(("127.0.0.1", self._broker_port))
        for one in (self._client, self._broker):
            one.settimeout(POLL_SECONDS)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for ends in [(self._client, self._broker), (self._broker, self._client)]:
            pump = threading.Thread(target=self._pump, args=ends, daemon=True)
            self._pumps.append(pump)
            pump.start()

    def _pump(self, source, sink):
        try:
            while not self.dead:
                try:
                    data = source.recv(CHUNK)
                except TimeoutError:
                    continue
                if not data:
                    break
                for piece in self._pieces(data):
                    self.flowing.wait()
                    self._push(sink, piece)
            if not self.dead:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end has gone; each of them sees that by itself

    def _push(self, sink, piece):
        while piece and not self.dead:
            try:
                piece = piece[sink.send(piece) :]
            except TimeoutError:
                continue

    def _pieces(self, data):
        if self.manner == "plain":
            yield data
        elif self.manner == "delayed":
            time.sleep(self.dice.uniform(0.001, 0.02))
            yield data
        else:
            most = 1 if self.manner == "dribble" else 64
            while data and not self.dead:
                length = self.dice.randint(1, most)
                yield data[:length]
                data = data[length:]

    def _close(self, one):
        if one:
            one.close()
