"""Power cuts under load, on ext4 and on XFS: what was confirmed before the cut is there, and what was settled is not.

    run.py [--cuts N] [--seed S]

Four publishers and three consumers work on a broker whose data lie on a disk that is cut off (rig.py). What they were promised is
noted before the clone is taken, so whatever was confirmed later counts for nothing. The broker is started on the clone, twice
in three times cut off again while it starts or just after, and read out. At last the same with a broker whose syncs do nothing
and say that they did: that has to be found. Closes with `N passed, N failed`, one for each of the three. Without root, loop
devices or a file system's tools it says so loudly, and passes nothing for that file system. It needs strace.
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

from broker import Broker, BrokerError  # noqa: E402
from rig import Rig, Unavailable  # noqa: E402
from wire import Refused, Wire  # noqa: E402

CUT_MS = (50, 500)
ALARM_CUTS = 6
NO_SYNC = ["strace", "-D", "-f", "-q", "--seccomp-bpf", "-e", "trace=fdatasync", "-e", "inject=fdatasync:retval=0", "-o", "/dev/null"]
QUEUES = ["power.0", "power.1", "power.2"]
WINDOW = 16
SIZES = (100, 3_000, 40_000, 200_000)
ENDS = (ConnectionError, TimeoutError, Refused)


def body_of(key):
    size = SIZES[int(key.rsplit("/", 1)[1]) % len(SIZES)]
    return (key.encode() + b"\0") * (size // (len(key) + 1) + 1)


class Run:
    """One file system: cut after cut, and one history."""

    def __init__(self, rig, seed):
        self.rig, self.dice = rig, random.Random(f"{seed} {rig.kind}")
        self.numbers = itertools.count()
        self.attempted, self.confirmed, self.tried, self.settled, self.problems = set(), set(), set(), set(), []
        self.hit, self.cut_starts, self.promised = 0, 0, 0
        self.broker = Broker(data=str(rig.data))

    def prepare(self, wrapper):
        """Makes the data directory, durably, by a broker that is as it should be."""
        with self.broker:
            self.broker.stop()
        os.sync()
        self.broker.wrapper = list(wrapper)

    def publish(self, name):
        try:
            wire = Wire(self.broker.port)
            while True:
                while wire.unconfirmed < WINDOW:
                    key = f"{name}/{next(self.numbers)}"
                    self.attempted.add(key)
                    queue = QUEUES[int(key.rsplit("/", 1)[1]) % len(QUEUES)]
                    wire.put("SEND", {"destination": f"/queue/{queue}", "tag": key}, body_of(key), then=key)
                wire.flush()
                self.confirmed.update(then for _, _, then in wire.frames())
        except ENDS:
            return  # the power is gone

    def consume(self, queue, leave):
        """Settles what comes, and with `leave` two in three only: the rest keeps segments from being given back at once."""
        try:
            wire = Wire(self.broker.port)
            wire.put("SUBSCRIBE", {"destination": f"/queue/{queue}", "id": "s", "ack": "client-individual", "prefetch-count": 200})
            wire.flush()
            while True:
                for command, headers, body in wire.frames():
                    key = headers.get("tag")
                    if command == "RECEIPT":
                        self.settled.add(body)
                    elif not leave or int(key.rsplit("/", 1)[1]) % 3:
                        self.tried.add(key)
                        wire.put("ACK", {"id": headers["ack"]}, then=key)
                wire.flush()
        except ENDS:
            return

    def one_cut(self, number):
        self.broker.start()
        work = [threading.Thread(target=self.publish, args=(f"p{n}",), daemon=True) for n in range(4)]
        work += [threading.Thread(target=self.consume, args=(queue, queue == QUEUES[0]), daemon=True) for queue in QUEUES]
        for thread in work:
            thread.start()
        time.sleep(self.dice.uniform(*CUT_MS) / 1000)
        confirmed, settled, under_way = set(self.confirmed), set(self.settled), len(self.attempted) - len(self.confirmed)
        self.rig.clone()
        self.broker.kill()
        for thread in work:
            thread.join(30)
        self.hit += bool(confirmed) and under_way > 0
        self.rig.cut()
        for _ in range(number % 3):
            self.cut_a_start()
        self.promised += len(confirmed)
        self.judge(confirmed, settled, self.read_out())
        # What was confirmed after the clone, and all that is settled now, is past.
        self.attempted, self.confirmed, self.tried, self.settled = set(), set(), set(), set()

    def cut_a_start(self):
        """The power goes again while the broker starts or soon after."""
        starting = threading.Thread(target=self.start_quietly, daemon=True)
        starting.start()
        time.sleep(self.dice.uniform(0, 0.25))
        self.rig.clone()
        self.broker.kill()
        starting.join(30)
        self.broker.kill()
        self.cut_starts += 1
        self.rig.cut()

    def start_quietly(self):
        try:
            self.broker.start()
        except (BrokerError, AttributeError):
            return  # cut off

    def read_out(self):
        """Takes everything, queue by queue: the keys."""
        found = []
        self.broker.start()
        for queue in QUEUES:
            wire, ended = Wire(self.broker.port), False
            wire.put("SUBSCRIBE", {"destination": f"/queue/{queue}", "id": "s", "ack": "client-individual", "prefetch-count": 500})
            wire.put("SEND", {"destination": f"/queue/{queue}", "last": "yes"}, b"last", then=None)
            wire.flush()
            while not ended or wire.unconfirmed:
                for command, headers, body in wire.frames():
                    if command != "MESSAGE":
                        continue
                    wire.put("ACK", {"id": headers["ack"]}, then="ack")
                    ended = ended or "last" in headers
                    if "last" not in headers:
                        found.append(headers["tag"])
                        if body != body_of(headers["tag"]):
                            self.problems.append(f"cut {self.rig.cuts}: {headers['tag']} came altered")
                wire.flush()
            wire.close()
        self.broker.stop()
        return found

    def judge(self, confirmed, settled, found):
        have, cut = set(found), f"cut {self.rig.cuts}"
        if lost := confirmed - self.tried - have:
            self.problems.append(f"{cut}: {len(lost)} confirmed and lost, of them {sorted(lost)[:5]}")
        if back := settled & have:
            self.problems.append(f"{cut}: {len(back)} came again though settled, of them {sorted(back)[:5]}")
        if len(have) < len(found):
            self.problems.append(f"{cut}: {len(found) - len(have)} are there twice")


def one_kind(kind, cuts, seed, wrapper=()):
    """Whether it passed; None if it could not be tried. With a wrapper, that spoils it, it passes if that was found."""
    try:
        rig = Rig(kind)
    except Unavailable as problem:
        print(f"SKIPPED: no power is cut on {kind}: {problem}", flush=True)
        return None
    run, began = Run(rig, seed), time.monotonic()
    try:
        run.prepare(wrapper)
        for number in range(cuts):
            run.one_cut(number)
            if wrapper and run.problems:
                break
    except (BrokerError, Unavailable, *ENDS) as problem:
        run.problems.append(f"cut {rig.cuts}: {type(problem).__name__}: {problem}")
    finally:
        run.broker.close()
        rig.close()
    if wrapper:
        found = f"ok    alarm: syncs that do nothing are found: {run.problems[0][:150]}" if run.problems else ""
        print(found or "FAIL  alarm: syncs that do nothing are not found")
        return bool(run.problems)
    if run.hit < cuts / 2:
        run.problems.append(f"only {run.hit} of {cuts} cuts came while messages were on their way: nothing is proved")
    print(f"{'FAIL ' if run.problems else 'ok   '} {kind}: {cuts} cuts under load, {run.cut_starts} of starts, {run.hit} while messages were "
          f"on their way, {run.promised} messages promised, in {time.monotonic() - began:.0f} s")  # fmt: skip
    for text in run.problems[:5]:
        print(f"      {text}")
    return not run.problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=20, help="of each file system")
    parser.add_argument("--seed", default=os.environ.get("POWER_SEED") or os.urandom(4).hex())
    options = parser.parse_args()
    os.environ["KOLEJKA__LIMITS__SEGMENT"] = "16MiB"
    os.environ["KOLEJKA__LIMITS__DISK_RESERVE"] = "16MiB"
    os.environ["KOLEJKA__LIMITS__APPEND__BYTES"] = "12MiB"
    print(f"power cuts: {options.cuts} of each file system, --seed {options.seed}", flush=True)
    outcomes = [one_kind(kind, options.cuts, options.seed) for kind in ("ext4", "xfs")]
    outcomes.append(one_kind("ext4", ALARM_CUTS, options.seed, NO_SYNC))
    passed, failed = outcomes.count(True), outcomes.count(False)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed and None not in outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
