"""The system calls of a broker under strace: how to trace it, how to let calls fail, and what the trace must show.

A call is seen when the tracer stops the thread, before it begins and after it has ended, so a promise that waits for a
call in the broker begins behind the end of that call in the trace. This file knows how frames look, and no more.
"""

import re
from dataclasses import dataclass

from broker import wait_until

WRITES = ("write", "writev", "sendto", "sendmsg")
CALLS = ("fdatasync", "pwrite64", "recvfrom", *WRITES)
_WHOLE = re.compile(r"(\d+) +(\d+)\.(\d+) (\w+)\((.*)\) += (-?\d+)(.*?)(?: <(\d+)\.(\d+)>)?$")
_BEGUN = re.compile(r"(\d+) +(\d+)\.(\d+) (\w+)\((.*) <unfinished \.\.\.>$")
_ENDED = re.compile(r"(\d+) +\d+\.\d+ <\.\.\. (\w+) resumed>(.*)\) += (-?\d+)(.*?)(?: <(\d+)\.(\d+)>)?$")
_EXIT = re.compile(r"(\d+) +(\d+)\.(\d+) \+\+\+ (?:exited with|killed by)")


@dataclass
class Call:
    """One call; times are nanoseconds."""

    name: str
    text: str
    begun: int
    ended: int
    result: int
    note: str

    @property
    def injected(self):
        return "INJECTED" in self.note

    @property
    def file(self):
        return self.text.split(",", 1)[0].rstrip(")")


class Trace:
    """A trace file, and the wrapper command that lets a broker write it."""

    def __init__(self, path, calls=CALLS, inject=None, text_bytes=1_000_000):
        self.path = path
        self.wrapper = [
            "strace", "-D", "-f", "-q", "--seccomp-bpf", "-s", str(text_bytes),
            "--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns",
            "-e", f"trace={','.join(calls)}", "-o", str(path),
        ]  # fmt: skip
        if inject:
            self.wrapper += ["-e", f"inject={inject}"]

    def read(self, pid):
        """All calls, in the order in which they began, once the process has ended; the time of its end is kept."""
        self.exited = None
        wait_until(lambda: self._has_end(pid), what="the end of the trace")
        calls, open_calls = [], {}
        with self.path.open(errors="replace") as lines:
            for line in lines:
                line = line.rstrip("\n")
                if found := _WHOLE.match(line):
                    _, seconds, parts, name, text, result, note, *took = found.groups()
                    begun = _nanoseconds(seconds, parts)
                    calls.append(Call(name, text, begun, begun + _nanoseconds(*took), int(result), note))
                elif found := _BEGUN.match(line):
                    thread, seconds, parts, name, text = found.groups()
                    open_calls[thread] = Call(name, text, _nanoseconds(seconds, parts), None, None, "")
                    calls.append(open_calls[thread])
                elif found := _ENDED.match(line):
                    thread, name, text, result, note, *took = found.groups()
                    call = open_calls.pop(thread)
                    assert call.name == name, line
                    call.text, call.result, call.note = call.text + text, int(result), note
                    call.ended = call.begun + _nanoseconds(*took)
        return sorted((call for call in calls if call.ended is not None), key=lambda call: call.begun)

    def _has_end(self, pid):
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - 20_000))
            for line in file.read().decode(errors="replace").splitlines():
                found = _EXIT.match(line)
                if found and int(found[1]) == pid:
                    self.exited = _nanoseconds(found[2], found[3])
        return self.exited is not None


def _nanoseconds(seconds, parts):
    return int(seconds or 0) * 1_000_000_000 + int((parts or "0").ljust(9, "0")[:9])


def receipts(calls):
    """Every receipt that was handed to the kernel: (its number, the call that wrote it)."""
    for call in calls:
        if call.name in WRITES and "RECEIPT" in call.text:
            for number in re.findall(r"receipt-id:(\d+)", call.text):
                yield int(number), call


def asked(calls):
    """When each receipt was asked for: the end of the call that read its number."""
    return {
        int(number): call.ended
        for call in calls
        if call.name == "recvfrom"
        for number in re.findall(r"receipt:(\d+)", call.text)
    }


def synced(calls):
    """Writes of the journal with the end of the first good sync of the same file that began behind them."""
    waiting, done = [], []
    events = [call for call in calls if call.name in ("pwrite64", "fdatasync")]
    for call in sorted(events, key=lambda call: call.begun if call.name == "fdatasync" else call.ended):
        if call.name == "pwrite64":
            if call.result > 0:
                waiting.append(call)
        elif call.result == 0:
            done += [(write, call.ended) for write in waiting if write.file == call.file]
            waiting = [write for write in waiting if write.file != call.file]
    return done


def inversions(calls, tag=None):
    """Receipts that left before the disk had what they promise, in words.

    Each needs a write that began after its frame was read, and a sync that began after that write had ended and came
    back before the receipt left. With `tag`, that write must hold the tag made of the receipt's number.
    """
    durable, read = synced(calls), asked(calls)
    if tag:
        place = {number: at for call, at in durable for number in tag(call.text)}
    ends = sorted((write.begun, at) for write, at in durable)
    best, soonest = [], None
    for begun, at in reversed(ends):
        soonest = at if soonest is None else min(soonest, at)
        best.append((begun, soonest))
    best.reverse()
    for number, call in receipts(calls):
        if tag:
            safe = place.get(number)
        else:
            safe = next((at for begun, at in best if begun >= read[number]), None)
        if safe is None or safe > call.begun:
            late = "never" if safe is None else f"{(safe - call.begun) / 1000:.0f} us later"
            yield f"receipt {number} left, and the sync that covers it ended {late}"
