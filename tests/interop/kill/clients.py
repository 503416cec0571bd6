"""The publishers and consumers of the kill loop. Each lives for one life of the broker and reports to the history."""

import random
from collections import deque

from history import Transaction, body_of
from wire import Wire

WINDOW = 16
POISON_EVERY = 40


def destination(queue):
    """The name of a queue is short, that of a topic is written out."""
    return queue if queue.startswith("/") else f"/queue/{queue}"


def put_message(wire, history, queue, key, transaction=None, then=None):
    """Writes a SEND whose body and headers belong to the key."""
    headers = {"destination": destination(queue), "tag": key, "x-odd": "a\\cb"}
    if transaction:
        headers["transaction"] = "t"
    history.attempt(key, queue, transaction)
    wire.put("SEND", headers, body_of(key), then)


class Client:
    """A thread's worth of work; `run` ends when the broker dies."""

    login = {}

    def __init__(self, name, history, seed):
        self.name, self.history = name, history
        self.random = random.Random(f"{seed} {name} {history.life}")
        self.wire = None
        self.hurt = False

    def run(self, port):
        try:
            self.wire = Wire(port, login=self.login)
            self.work()
        except (ConnectionError, TimeoutError) as end:
            self.hurt = not isinstance(end, ConnectionRefusedError) and self.wire is not None and self.wire.unconfirmed > 0
        finally:
            if self.wire:
                self.wire.close()


class Publisher(Client):
    """Sends with a receipt for each message and a window."""

    def __init__(self, name, history, seed, queues, numbers):
        super().__init__(name, history, seed)
        self.queues, self.numbers = queues, numbers

    def key(self):
        return f"{self.name}/{next(self.numbers)}"

    def work(self):
        while True:
            while self.wire.unconfirmed < WINDOW:
                key = self.key()
                put_message(self.wire, self.history, self.random.choice(self.queues), key, then=key)
            self.wire.flush()
            for _, _, key in self.wire.frames():
                self.history.confirmed.add(key)


class TransactionPublisher(Publisher):
    """Sends in transactions over several queues; commits most, aborts some."""

    def work(self):
        while True:
            transaction = Transaction(self.history.life)
            self.history.transactions.append(transaction)
            self.wire.put("BEGIN", {"transaction": "t"})
            for _ in range(self.random.randint(1, 5)):
                put_message(self.wire, self.history, self.random.choice(self.queues), self.key(), transaction)
            self.wire.flush()
            finish(self, transaction, abort=self.random.random() < 0.2)


def finish(client, transaction, abort=False):
    """COMMIT or ABORT, and the wait for its receipt; other frames that come meanwhile are returned."""
    transaction.outcome = "aborted" if abort else "unknown"
    if not abort:
        client.history.ack_tried.update(transaction.acks)
        transaction.at = client.history.now()
    client.wire.put("ABORT" if abort else "COMMIT", {"transaction": "t"}, then=transaction)
    client.wire.flush()
    others = []
    while True:
        for frame in client.wire.frames():
            if frame[0] == "RECEIPT" and frame[2] is transaction:
                if not abort:
                    transaction.outcome = "committed"
                    client.history.confirmed.update(transaction.sends)
                    client.history.acked(transaction.acks)
                return others
            others.append(frame)


class Consumer(Client):
    """Subscribes to one queue in one mode; `settle` decides what becomes of a message."""

    mode = "client-individual"

    def __init__(self, name, history, seed, queue):
        super().__init__(name, history, seed)
        self.queue = queue
        self.come = deque()

    def work(self):
        self.wire.put("SUBSCRIBE", self.subscription())
        self.wire.flush()
        while True:
            self.come.extend(self.wire.frames())
            while self.come:
                command, headers, body = self.come.popleft()
                if command == "RECEIPT":
                    self.history.acked(body)
                else:
                    self.take(headers, body)
            self.wire.flush()

    def subscription(self):
        return {"destination": destination(self.queue), "id": "s", "ack": self.mode, "prefetch-count": "20"}

    def take(self, headers, body):
        key = self.history.delivered(self.name, self.queue, headers, body, holds=self.mode != "auto")
        self.settle(key, headers)

    def settle(self, key, headers):
        self.ack([key], headers)

    def ack(self, keys, headers, receipt=True):
        self.history.ack_tried.update(keys)
        self.wire.put("ACK", {"id": headers["ack"]}, then=list(keys) if receipt else None)

    def nack(self, keys, headers):
        for key in keys:
            self.history.released(key)
        self.wire.put("NACK", {"id": headers["ack"], "x-delay": "0"})


class AutoConsumer(Consumer):
    mode = "auto"

    def settle(self, key, headers):
        pass


class QuietConsumer(Consumer):
    """Acknowledges without receipts: may see its messages again, may not lose one."""

    def settle(self, key, headers):
        self.ack([key], headers, receipt=False)


class CumulativeConsumer(Consumer):
    """Settles several messages by one frame; sometimes gives them all back."""

    mode = "client"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.held = []

    def settle(self, key, headers):
        self.held.append(key)
        chance = self.random.random()
        if chance < 0.05:
            self.nack(self.held, headers)
            self.held = []
        elif chance < 0.3 or len(self.held) > 10:
            self.ack(self.held, headers)
            self.held = []


class PickyConsumer(Consumer):
    """Gives some messages back at times, and poison always, until the broker puts it aside."""

    def settle(self, key, headers):
        poison = int(key.rsplit("/", 1)[1]) % POISON_EVERY == 0
        if poison or self.random.random() < 0.1:
            self.nack([key], headers)
        else:
            self.ack([key], headers)


class Mover(Consumer):
    """Moves messages to another queue: the copy and the ACK in one transaction."""

    def __init__(self, name, history, seed, queue, target, numbers):
        super().__init__(name, history, seed, queue)
        self.target, self.numbers = target, numbers
        self.waiting = []

    def take(self, headers, body):
        key = self.history.delivered(self.name, self.queue, headers, body)
        self.waiting.append((key, headers))
        if len(self.waiting) == 3:
            self.move(self.waiting)
            self.waiting = []

    def move(self, batch):
        transaction = Transaction(self.history.life)
        self.history.transactions.append(transaction)
        self.wire.put("BEGIN", {"transaction": "t"})
        for _, headers in batch:
            put_message(self.wire, self.history, self.target, f"{self.name}/{next(self.numbers)}", transaction)
            self.wire.put("ACK", {"id": headers["ack"], "transaction": "t"})
        transaction.acks = [key for key, _ in batch]
        abort = self.random.random() < 0.15
        self.come.extend(finish(self, transaction, abort))
        if abort:
            for key, headers in batch:
                self.nack([key], headers)
