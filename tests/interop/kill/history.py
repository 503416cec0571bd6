"""What the clients of the kill loop did and saw, and the judgement over it.

One history spans all lives of the broker. Lives do not overlap: every client of one life has ended before the next
begins, so one sequence number orders all that was seen. The names I1 to I10 are those of the test plan:

I1  what was confirmed is consumed, dead-lettered or still queued      I6  first deliveries come in the order of sending
I2  nothing comes that was not sent, and it comes unchanged            I7  a delivery without the mark is the first one
I3  after a confirmed ACK the message does not come again              I8  counts do not fall; one dead-letter copy
I4  what was aborted or never committed is never seen                  I9  a message is with one consumer at a time
I5  a commit of unknown outcome is all or nothing                      I10 receipts come in order, once, when asked for
"""

import hashlib
import itertools
from collections import defaultdict
from dataclasses import dataclass, field

ODD_HEADER = "a:b"


def body_of(key):
    """The body that belongs to a key; of many sizes, with NULs inside."""
    digest = hashlib.sha256(key.encode()).digest()
    return key.encode() + b"\0\n" + digest * (digest[0] // 4)


@dataclass
class Transaction:
    """Sends and acks that belong together. `outcome`: open, aborted, unknown (COMMIT written at `at`) or committed."""

    life: int
    at: int = 0
    sends: list = field(default_factory=list)
    acks: list = field(default_factory=list)
    outcome: str = "open"


@dataclass
class Delivery:
    life: int
    at: int
    consumer: str
    marked: bool
    count: int


class History:
    def __init__(self, auto_queue):
        self.auto_queue = auto_queue
        self.life = 0
        self.queue_of, self.transaction_of = {}, {}
        self.confirmed, self.nacked, self.ack_tried = set(), 0, set()
        self.ack_confirmed, self.drained = {}, defaultdict(list)
        self.transactions, self.deliveries = [], defaultdict(list)
        self.interrupted_lives = 0
        self.broken = defaultdict(list)
        self._holder, self._clock, self._last = {}, itertools.count(1), {}

    def breach(self, invariant, text):
        self.broken[invariant].append(f"life {self.life}: {text}")

    # what clients report

    def attempt(self, key, queue, transaction=None):
        self.queue_of[key] = queue
        if transaction:
            self.transaction_of[key] = transaction
            transaction.sends.append(key)

    def delivered(self, consumer, queue, headers, body, holds=True):
        """A MESSAGE came; returns its key. The dead-letter copy of a message has a history of its own."""
        key = headers.get("tag")
        if key not in self.queue_of or body != body_of(key) or headers.get("x-odd") != ODD_HEADER:
            self.breach("I2", f"{consumer} got {headers} with {len(body)} octets")
            return key
        dead = queue.startswith("DLQ.")
        if queue.removeprefix("DLQ.") != self.queue_of[key]:
            self.breach("I2", f"{key} of {self.queue_of[key]} came from {queue}")
        marked = headers.get("redelivered") == "true"
        one = Delivery(self.life, self.now(), consumer, marked, int(headers.get("delivery-count", 1)))
        self._judge_arrival(key, dead, one, holds)
        self.deliveries[key, dead].append(one)
        return key

    def now(self):
        """The place of this moment in the order of all that was seen."""
        return next(self._clock)

    def gone(self, consumer):
        """The consumer's connection has ended; the broker may not know it yet."""
        for held, holder in list(self._holder.items()):
            if holder[1] == consumer:
                self._holder.pop(held, None)

    def released(self, key, dead=False):
        """The consumer is about to give the message back."""
        self.nacked += 1
        self._holder.pop((key, dead), None)

    def acked(self, keys):
        """The RECEIPT of an ACK, or of the COMMIT around it, has come."""
        for key in keys:
            self.ack_confirmed[key] = self.now()

    def _judge_arrival(self, key, dead, one, holds):
        earlier = self.deliveries[key, dead]
        if not one.marked and earlier:
            self.breach("I7", f"{key} came unmarked to {one.consumer} after {earlier[-1]}")
        if key in self.ack_confirmed:
            self.breach("I3", f"{key} came to {one.consumer} after its ACK was confirmed; earlier: {earlier}")
        if earlier and earlier[-1].life == one.life and one.count < earlier[-1].count:
            self.breach("I8", f"{key}: count fell from {earlier[-1].count} to {one.count}")
        if holds:
            holder = self._holder.get((key, dead))
            if holder and holder[0] == self.life:
                self.breach("I9", f"{key} came to {one.consumer} while {holder[1]} held it")
            self._holder[key, dead] = (self.life, one.consumer)
        if not one.marked and not dead:
            self._judge_order(key, one)

    def _judge_order(self, key, one):
        publisher, number = key.rsplit("/", 1)
        lane = (one.life, one.consumer, publisher, self.queue_of[key])
        if self._last.get(lane, -1) >= int(number):
            self.breach("I6", f"{key} came to {one.consumer} after number {self._last[lane]}")
        self._last[lane] = int(number)

    # the judgement after the last drain

    def judge(self):
        for key in self.confirmed:
            if self.queue_of[key] != self.auto_queue and key not in self.ack_tried and key not in self.drained:
                self.breach("I1", f"{key} was confirmed and is nowhere; seen: {self.deliveries[key, False]}")
        for key, places in self.drained.items():
            if len(places) > 1:
                self.breach("I8", f"{key} was drained from {places}")
        for transaction in self.transactions:
            self._judge_transaction(transaction)

    def _seen(self, key):
        return bool(self.deliveries[key, False] or self.deliveries[key, True])

    def _back(self, key, at):
        """Whether the message came again later, which an effective ACK forbids."""
        return any(d.at > at for dead in (False, True) for d in self.deliveries[key, dead])

    def _judge_transaction(self, one):
        seen = [self._seen(key) for key in one.sends]
        if one.outcome in ("open", "aborted"):
            if any(seen):
                self.breach("I4", f"{one} was seen")
        elif one.outcome == "unknown":
            effects = seen + [not self._back(key, one.at) for key in one.acks]
            if any(effects) and not all(effects):
                self.breach("I5", f"{one}: sends seen {seen}, effects {effects}")

    def figures(self):
        """The run in numbers."""
        every = [d for ds in self.deliveries.values() for d in ds]
        outcomes = [t.outcome for t in self.transactions]
        return {
            "attempted": len(self.queue_of),
            "confirmed": len(self.confirmed),
            "delivered": len(every),
            "redelivered": sum(d.marked for d in every),
            "acks confirmed": len(self.ack_confirmed),
            "nacked": self.nacked,
            "dead-lettered": sum(1 for (_, dead), ds in self.deliveries.items() if dead and ds),
            "recovered (unconfirmed, yet there)": sum(self._seen(k) for k in self.queue_of if k not in self.confirmed),
            "committed": outcomes.count("committed"),
            "aborted": outcomes.count("aborted"),
            "commits of unknown outcome": outcomes.count("unknown"),
            "kills that hit something unconfirmed": self.interrupted_lives,
        }
