"""The machine's clock is wrong, and is corrected: broker time follows it, and says so.

A small library that is loaded before the C library moves the wall clock of the broker alone, by the seconds that a file holds.
"""

import os
import subprocess
import time

from broker import wait_until
from case import Case, settle, subscribe

LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, time);
    long seconds = 0;
    FILE *file = id == CLOCK_REALTIME ? fopen(getenv("MOVED"), "r") : NULL;
    if (file) {
        if (fscanf(file, "%ld", &seconds) == 1) time->tv_sec += seconds;
        fclose(file);
    }
    return result;
}
"""
DAY = 86_400


class Clock(Case):
    def setUp(self):
        super().setUp()
        self.moved, source, library = (self.folder / name for name in ("moved", "moved.c", "moved.so"))
        source.write_text(LIBRARY)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.move(0)
        self.wrapper = ["env", f"LD_PRELOAD={library}", f"MOVED={self.moved}"]

    def move(self, seconds):
        whole = self.folder / "moved.new"
        whole.write_text(str(seconds))
        os.replace(whole, self.moved)

    def comes(self, broker, queue):
        """Whether a message is delivered that is valid for a minute by the right clock."""
        wire = self.wire(broker)
        soon = int(time.time() * 1000) + 60_000
        wire.put("SEND", {"destination": queue, "expires": soon}, b"valid", then="sent")
        settle(wire)
        bodies = [body for _, body in self.drain(broker, queue)]
        wire.close()
        return bodies == [b"valid"]

    def test_a_start_with_a_wrong_clock_is_not_remembered(self):
        broker = self.broker(wrapper=self.wrapper)
        self.move(400 * DAY)
        with broker:
            self.assertFalse(self.comes(broker, "/queue/early"), "by its clock it is over")
            broker.stop()
        self.move(0)
        for is_told in (True, False):
            with broker:
                self.assertTrue(self.comes(broker, "/queue/late"))
                self.assertEqual("the log is ahead of the machine's clock" in broker.output(), is_told)
                broker.stop()

    def test_a_clock_that_is_moved_is_followed(self):
        with self.broker(wrapper=self.wrapper) as broker:
            self.assertTrue(self.comes(broker, "/queue/before"))
            self.move(DAY)
            wait_until(lambda: broker.output().count("the machine's clock was moved") == 1, what="the first warning")
            self.assertFalse(self.comes(broker, "/queue/ahead"))
            self.move(0)
            wait_until(lambda: broker.output().count("the machine's clock was moved") == 2, what="the second warning")
            self.assertTrue(self.comes(broker, "/queue/after"))

    def test_what_is_due_comes_when_the_clock_has_been_set(self):
        with self.broker(wrapper=self.wrapper) as broker:
            wire = self.wire(broker)
            due = int(time.time() * 1000) + 50_000
            wire.put("SEND", {"destination": "/queue/due", "x-at": due}, b"due", then="sent")
            settle(wire)
            subscribe(wire, "/queue/due")
            self.move(55)
            self.assertEqual(wire.frame()[2], b"due")
