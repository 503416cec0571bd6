"""What empties a queue when all is over, and tells the history what was there."""

from clients import Consumer, destination


class Drain(Consumer):
    """Takes everything up to a message that was sent last."""

    def __init__(self, history, queue):
        super().__init__(f"drain {queue}", history, 0, queue)
        self.taken, self.ended = [], False

    def work(self):
        self.wire.put("SUBSCRIBE", self.subscription())
        self.wire.put("SEND", {"destination": destination(self.queue), "last": "yes"}, b"last", then=[])
        self.wire.flush()
        while not self.ended or self.wire.unconfirmed:
            for command, headers, body in self.wire.frames():
                if command == "RECEIPT":
                    self.history.acked(body)
                elif "last" in headers:
                    self.ended = True
                    self.ack([], headers)
                else:
                    self.take(headers, body)
            self.wire.flush()

    def settle(self, key, headers):
        self.taken.append(key)
        self.history.drained[key].append(self.queue)
        self.ack([key], headers)
