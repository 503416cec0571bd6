"""The kill loop: 8 publishers and 8 consumers at work, 40 times SIGKILL, one history that must hold.

    run.py [--rounds N] [--seed S] [--chains N] [--rolls N]

A kill at a random moment leaves frames on their way in every state there is. Between the rounds there are chains of ten starts
that are killed before they are ready, and lives that are killed where segments change; each of these has to be hit. Afterwards
everything is drained, the
broker is stopped in good order, and what was drained must not be there again. Closes with `N passed, N failed`, one
for each invariant; a run in which too little happened has failed.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

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
from phases import Phases, has_strace  # noqa: E402

QUEUES = ["work.0", "work.1", "work.2", "work.3"]
MOVED, AUTO = "work.4", "work.auto"
KILL_MS = (20, 400)
INVARIANTS = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "clients", "activity", "phases"]
CHAIN = 10  # killed starts in a row
SMALL = '[limits]\nsegment = "16MiB"\n'  # so that segments change within seconds
AT_LEAST = {  # for 40 rounds; a run below has proved nothing
    "confirmed": 2000,
    "acks confirmed": 1000,
    "redelivered": 100,
    "nacked": 100,
    "dead-lettered": 1,
    "committed": 100,
    "aborted": 20,
    "commits of unknown outcome": 5,
    "kills that hit something unconfirmed": 20,
}


class Crew:
    """Makes the clients of one life; their counters go on from life to life."""

    def __init__(self, history, seed):
        self.history, self.seed = history, seed
        self.numbers = {name: itertools.count() for name in ["p0", "p1", "p2", "p3", "p4", "t0", "t1", "t2", "mover"]}

    def clients(self):
        history, seed = self.history, self.seed
        for name in ["p0", "p1", "p2", "p3"]:
            yield Publisher(name, history, seed, QUEUES, self.numbers[name])
        yield Publisher("p4", history, seed, [AUTO, "work.2"], self.numbers["p4"])
        for name in ["t0", "t1", "t2"]:
            yield TransactionPublisher(name, history, seed, QUEUES, self.numbers[name])
        yield AutoConsumer("auto", history, seed, AUTO)
        yield CumulativeConsumer("cumulative-0", history, seed, "work.0")
        yield QuietConsumer("quiet-0", history, seed, "work.0")
        yield CumulativeConsumer("cumulative-1", history, seed, "work.1")
        yield PickyConsumer("picky-2a", history, seed, "work.2")
        yield PickyConsumer("picky-2b", history, seed, "work.2")
        yield Mover("mover", history, seed, "work.3", MOVED, self.numbers["mover"])
        yield Consumer("plain-4", history, seed, MOVED)


def one_life(broker, crew, history, seconds):
    """Starts the broker, lets the clients work, kills it; all clients have ended when this returns."""
    history.life += 1
    broker.start()
    clients = list(crew.clients())
    threads = [threading.Thread(target=report, args=(client, broker.port, history), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    broker.kill()
    for thread in threads:
        thread.join(30)
        if thread.is_alive():
            history.breach("clients", f"{thread.name} did not end with the broker")
    history.interrupted_lives += any(client.hurt for client in clients)


def report(client, port, history):
    try:
        client.run(port)
    except Exception as problem:  # whatever it is, it is a finding of this run
        kind = "I10" if type(problem).__name__ == "ReceiptOrder" else "clients"
        history.breach(kind, f"{client.name}: {type(problem).__name__}: {problem}")


def at_work(crew, history):
    """Starts the clients of a life that something else ends."""

    def work(port):
        history.life += 1
        clients = list(crew.clients())
        threads = [threading.Thread(target=report, args=(client, port, history), daemon=True) for client in clients]
        for thread in threads:
            thread.start()
        return threads

    return work


def drain(broker, history):
    """A life without a kill: empties every queue and its dead-letter queue; the number of messages found."""
    history.life += 1
    broker.start()
    found = 0
    for queue in [*QUEUES, MOVED, AUTO]:
        for name in [queue, f"DLQ.{queue}"]:
            one = Drain(history, name)
            one.run(broker.port)
            if not one.ended:
                history.breach("clients", f"the drain of {name} broke off")
            found += len(one.taken)
    broker.stop()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", default=os.environ.get("KILL_LOOP_SEED") or os.urandom(4).hex())
    parser.add_argument("--chains", type=int, default=2)
    parser.add_argument("--rolls", type=int, default=8)
    options = parser.parse_args()
    if not has_strace():
        print("FAIL there is no strace, without which starts and changes of segments are not hit", flush=True)
        print("0 passed, 1 failed", flush=True)
        return 1
    print(f"kill loop: {options.rounds} rounds, --seed {options.seed}", flush=True)
    dice, history = random.Random(options.seed), History(AUTO)
    crew, slowest, phases = Crew(history, options.seed), 0.0, Phases()
    folder = tempfile.TemporaryDirectory(prefix="kolejka-kill-")
    config = Path(folder.name) / "kolejka.toml"
    config.write_text(SMALL)
    broker = Broker(config=config)
    chains = {(n + 1) * options.rounds // (options.chains + 1) for n in range(options.chains)}
    rolls = {(n + 1) * options.rounds // (options.rolls + 1) for n in range(options.rolls)}
    try:
        for number in range(options.rounds):
            before, pause = time.monotonic(), dice.uniform(*KILL_MS) / 1000
            one_life(broker, crew, history, pause)
            slowest = max(slowest, time.monotonic() - before - pause)
            if number in chains:
                phases.chain(broker.data, config, dice, CHAIN)
            if number in rolls:
                # The first change of names is a new segment's; later ones are as often those of segments given back.
                which = dice.randint(1, 3) if sum(phases.hits.values()) % 2 else dice.randint(5, 10)
                phases.killed_at_work(broker.data, config, which, at_work(crew, history))
        for phase in ["copying", "checkpoint"] * (options.rolls // 4):
            phases.killed_when_told(broker.data, config, phase, at_work(crew, history))
        for _ in range(options.rolls):
            if options.rolls >= 8 and not phases.hits["give back"]:
                phases.killed_at_work(broker.data, config, dice.randint(5, 10), at_work(crew, history))
        found, again = drain(broker, history), drain(broker, history)
    finally:
        broker.close()
        folder.cleanup()
    judge_phases(phases, options, history)
    if again:
        history.breach("I3", f"{again} messages came again after the drain was confirmed")
    history.judge()
    return tell(history, options.rounds, found, slowest)


def judge_phases(phases, options, history):
    """What was not hit was not tested."""
    print(f"  kills that hit: {phases.hits}; longest chain of killed starts {phases.longest_chain}", flush=True)
    if options.chains and phases.longest_chain < CHAIN:
        history.breach("phases", f"no chain of {CHAIN} killed starts, {phases.longest_chain} at most")
    for name in ["roll", "give back", "copying", "checkpoint"] if options.rolls >= 8 else []:
        if not phases.hits[name]:
            history.breach("phases", f"no kill hit: {name}")


def tell(history, rounds, found, slowest):
    figures = history.figures()
    for name, number in figures.items():
        print(f"  {number:>8}  {name}")
    print(f"  {found:>8}  drained at the end; slowest start and kill together {slowest:.2f} s")
    for name, least in AT_LEAST.items():
        if figures[name] < least * rounds // 40:
            history.breach("activity", f"{name}: {figures[name]}, at least {least * rounds // 40} are needed")
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
