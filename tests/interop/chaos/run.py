"""Clients whose connections break, one by one, while the broker goes on; one history that must hold.

    run.py [--seconds N] [--seed S]

Each connection ends after a few seconds or less: reset, closed without a goodbye, or silent, so that only the missing
heart-beats tell. Meanwhile bytes come late, in pieces or one at a time, and some connections at a time are held and let go
in another order. Afterwards everything is drained, twice: nothing may come again. Closes with `N passed, N failed`, one for
each invariant; a run in which too little happened has failed. What the invariants are stands in `kill/history.py`.
"""

import argparse
import itertools
import os
import random
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "kill")]

from broker import Broker  # noqa: E402
from clients import (  # noqa: E402
    AutoConsumer,
    Consumer,
    CumulativeConsumer,
    Mover,
    PickyConsumer,
    Publisher,
    QuietConsumer,
    TransactionPublisher,
)
from drain import Drain  # noqa: E402
from history import History  # noqa: E402
from link import Link  # noqa: E402
from wire import Wire  # noqa: E402

QUEUES = ["work.0", "work.1", "work.2", "work.3"]
MOVED, AUTO, NEWS = "work.4", "work.auto", "/topic/news"
MANNERS = {"plain": 5, "delayed": 2, "chunked": 2, "dribble": 1}
ENDS = {"reset": 5, "closed": 4, "silent": 1}
LIFE_SECONDS, HELD_SECONDS, BEAT_SECONDS = (0.3, 4), (0.1, 1), 0.7
SILENT_SECONDS = 20
HEART_BEAT = {"heart-beat": "2000,0"}
INVARIANTS = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I12", "clients", "activity"]
AT_LEAST = {  # for 30 seconds; a run below has proved nothing
    "confirmed": 2000,
    "acks confirmed": 1000,
    "redelivered": 100,
    "nacked": 100,
    "dead-lettered": 1,
    "committed": 50,
    "aborted": 10,
    "commits of unknown outcome": 5,
    "connections broken": 100,
    "with something unconfirmed": 30,
    "silent ones that the broker closed": 3,
    "times that some were held": 10,
    "to a durable subscription": 100,
}


class Subscriber(Consumer):
    """A durable subscription, which gets everything that is sent after its first receipt."""

    login = {"client-id": "reader", **HEART_BEAT}

    def subscription(self):
        return {**super().subscription(), "activemq.subscriptionName": "news"}


class DrainOfNews(Subscriber, Drain):
    """Empties the durable subscription."""

    def __init__(self, history, queue):
        Drain.__init__(self, history, queue)

    settle, work = Drain.settle, Drain.work


def numbered(kind, *arguments):
    """Makes the clients of one place, each with a name and, for those that send, numbers of its own."""
    sends = issubclass(kind, Publisher) or kind is Mover

    def make(name, history, seed):
        client = kind(name, history, seed, *arguments, *([itertools.count()] if sends else []))
        client.login = {**HEART_BEAT, **client.login}
        return client

    return make


PLACES = {
    **{f"p{n}": numbered(Publisher, QUEUES) for n in range(4)},
    "p4": numbered(Publisher, [AUTO, "work.2"]),
    "p5": numbered(Publisher, [NEWS]),
    **{f"t{n}": numbered(TransactionPublisher, QUEUES) for n in range(3)},
    "auto": numbered(AutoConsumer, AUTO),
    "cumulative-0": numbered(CumulativeConsumer, "work.0"),
    "quiet-0": numbered(QuietConsumer, "work.0"),
    "cumulative-1": numbered(CumulativeConsumer, "work.1"),
    "picky-2a": numbered(PickyConsumer, "work.2"),
    "picky-2b": numbered(PickyConsumer, "work.2"),
    "mover": numbered(Mover, "work.3", MOVED),
    "plain-4": numbered(Consumer, MOVED),
    "reader": numbered(Subscriber, NEWS),
}


class Chaos:
    def __init__(self, broker, history, seed, seconds):
        self.broker, self.history, self.seed = broker, history, seed
        self.end = time.monotonic() + seconds
        self.links, self.silent = {}, []
        self.broken, self.unconfirmed, self.held, self.closed = 0, 0, 0, 0

    def run(self):
        pilots = [threading.Thread(target=self.pilot, args=place, daemon=True) for place in PLACES.items()]
        for pilot in pilots:
            pilot.start()
        dice = random.Random(f"{self.seed} swizzle")
        while time.monotonic() < self.end:
            self.swizzle(dice)
        for pilot in pilots:
            pilot.join(30)
            if pilot.is_alive():
                self.history.breach("clients", "a client did not end with its connection")
        for one in self.silent:
            self.wait_for_the_broker(one)

    def pilot(self, place, make):
        """One client after the other, each on a connection that breaks."""
        dice = random.Random(f"{self.seed} {place}")
        for number in itertools.count():
            if time.monotonic() >= self.end:
                return
            [manner], [end] = (dice.choices(list(of), of.values()) for of in (MANNERS, ENDS))
            self.links[place] = link = Link(self.broker.port, manner, dice)
            client = make(f"{place}.{number}", self.history, self.seed)
            worker = threading.Thread(target=self.work, args=(client, link), daemon=True)
            worker.start()
            self.beat(client, worker, time.monotonic() + dice.uniform(*LIFE_SECONDS))
            link.cut()
            worker.join(30)
            # Before the broker can know: what it gives to others from now on is not held any more.
            self.history.gone(client.name)
            self.unconfirmed += client.hurt
            self.broken += 1
            if left := link.leave(end):
                self.silent.append(left)

    def beat(self, client, worker, end):
        """Heart-beats while the client lives, which is until its connection breaks."""
        while (left := end - time.monotonic()) > 0:
            worker.join(min(left, BEAT_SECONDS))
            if not worker.is_alive():
                return
            try:
                if client.wire:
                    client.wire.beat()
            except OSError:
                return

    def work(self, client, link):
        try:
            client.run(link.port)
            if not link.dead:
                self.history.breach("clients", f"{client.name}: the broker closed the connection")
        except Exception as problem:  # whatever it is, it is a finding of this run
            kind = "I10" if type(problem).__name__ == "ReceiptOrder" else "clients"
            self.history.breach(kind, f"{client.name}: {type(problem).__name__}: {problem}")

    def swizzle(self, dice):
        """Holds some connections one after the other, and lets them go in another order."""
        links = dice.sample(list(self.links.values()), min(len(self.links), dice.randint(2, 8)))
        for link in links:
            link.hold()
            time.sleep(dice.uniform(0, 0.1))
        time.sleep(dice.uniform(*HELD_SECONDS))
        for link in dice.sample(links, len(links)):
            link.resume()
            time.sleep(dice.uniform(0, 0.05))
        self.held += bool(links)

    def wait_for_the_broker(self, one):
        """A connection on which heart-beats were promised and do not come is closed."""
        one.settimeout(SILENT_SECONDS)
        try:
            while one.recv(1 << 16):
                pass
            self.closed += 1
        except ConnectionError:
            self.closed += 1
        except TimeoutError:
            self.history.breach("clients", f"a silent connection is still open after {SILENT_SECONDS} s")
        one.close()


def subscribe_first(broker):
    """What is sent to the topic from now on is kept for the durable subscription."""
    wire = Wire(broker.port, login={"client-id": "reader"})
    headers = {"destination": NEWS, "id": "s", "ack": "client-individual", "activemq.subscriptionName": "news"}
    wire.put("SUBSCRIBE", headers, then="subscribed")
    wire.flush()
    wire.frame()
    wire.close()


def drain(broker, history):
    """Empties every queue and its dead-letter queue, and the subscription; the number of messages found."""
    found = 0
    for name in [queue for one in [*QUEUES, MOVED, AUTO] for queue in (one, f"DLQ.{one}")] + [NEWS, "DLQ.reader.news"]:
        one = DrainOfNews(history, name) if name == NEWS else Drain(history, name)
        one.run(broker.port)
        if not one.ended:
            history.breach("clients", f"the drain of {name} broke off")
        found += len(one.taken)
    return found


def judge_news(history):
    """I12: the durable subscription got everything that was confirmed after its own receipt."""
    sent = [key for key in history.confirmed if history.queue_of[key] == NEWS]
    for key in sent:
        if not history.deliveries[key, False]:
            history.breach("I12", f"{key} was confirmed and did not reach the durable subscription")
    return len(sent)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", default=os.environ.get("CHAOS_SEED") or os.urandom(4).hex())
    options = parser.parse_args()
    print(f"chaos: {options.seconds} seconds, --seed {options.seed}", flush=True)
    history, broker = History(AUTO), Broker()
    history.life = 1
    try:
        broker.start()
        subscribe_first(broker)
        chaos = Chaos(broker, history, options.seed, options.seconds)
        chaos.run()
        found, again = drain(broker, history), drain(broker, history)
        broker.stop()
    finally:
        broker.close()
    if again:
        history.breach("I3", f"{again} messages came again after the drain was confirmed")
    news = judge_news(history)
    history.judge()
    figures = {
        **{name: number for name, number in history.figures().items() if "kills" not in name},
        "connections broken": chaos.broken,
        "with something unconfirmed": chaos.unconfirmed,
        "silent ones that the broker closed": chaos.closed,
        "times that some were held": chaos.held,
        "to a durable subscription": news,
        "drained at the end": found,
    }
    return tell(history, options.seconds, figures)


def tell(history, seconds, figures):
    for name, number in figures.items():
        print(f"  {number:>8}  {name}")
    for name, least in AT_LEAST.items():
        if figures[name] < least * seconds // 30:
            history.breach("activity", f"{name}: {figures[name]}, at least {least * seconds // 30} are needed")
    for invariant in INVARIANTS:
        broken = history.broken.get(invariant, [])
        print(f"{'FAIL ' if broken else 'ok   '} {invariant}" + (f": {len(broken)} times" if broken else ""))
        for text in broken[:5]:
            print(f"      {text}")
    failed = sum(bool(history.broken.get(i)) for i in INVARIANTS)
    print(f"{len(INVARIANTS) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
