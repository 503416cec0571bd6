"""The verbs of Beanstalkd over STOMP, one class to copy: a tube is a queue, priority 0 goes first, times are seconds.

What differs: a reserved job belongs to this connection, as there, and an id is what MESSAGE calls `x-job-id`.
"""

import json
import os
import queue

import stomp

SECONDS = 10  # longest wait for an answer of the broker
FOR_EVER = {"x-max-deliveries": "65535", "x-on-exhaust": "bury"}  # no dead letters: Beanstalkd has none


class Refused(Exception):
    """The job is not ours any more, or not there."""


class Beanstalk(stomp.ConnectionListener):
    def __init__(self, host="localhost", port=int(os.environ.get("KOLEJKA_PORT", 61613))):
        self.tube, self.watched, self.number = "default", ["default"], 0
        self.frames, self.receipts, self.answers = queue.Queue(), queue.Queue(), queue.Queue()
        self.stomp = stomp.Connection12([(host, port)])
        self.stomp.set_listener("beanstalk", self)
        self.stomp.connect(wait=True)

    # producers

    def use(self, tube):
        self.tube = tube

    def put(self, body, priority=1024, delay=0, ttr=60):
        times = {"x-delay": str(int(delay * 1000)), "x-ttr": str(int(ttr * 1000))}
        headers = {"x-urgency": str(priority), **times, **FOR_EVER}
        self._confirm(lambda receipt: self.stomp.send(f"/queue/{self.tube}", body, headers=headers, receipt=receipt))

    # workers

    def watch(self, tube):
        self.watched = [*self.watched, tube]

    def ignore(self, tube):
        self.watched = [other for other in self.watched if other != tube]

    def reserve(self, timeout=86400):
        """The most urgent job of all watched tubes; None if none came in time."""
        self.number += 1
        tubes = ",".join(f"/queue/{tube}" for tube in self.watched)
        limits = {"x-limit": "1", "x-wait": str(int(timeout * 1000))}
        self.stomp.subscribe(tubes, id=str(self.number), ack="client-individual", headers=limits)
        job = None
        while "x-end" not in (frame := self.frames.get(timeout=timeout + SECONDS)).headers:
            job = frame
        if job is None:
            self.stomp.unsubscribe(id=str(self.number))
        return job

    def delete(self, job):
        self._settle(job, lambda receipt: self.stomp.ack(job.headers["ack"], receipt=receipt))

    def release(self, job, priority=None, delay=0):
        rank = {} if priority is None else {"x-urgency": str(priority)}
        self._nack(job, {"x-delay": str(int(delay * 1000)), **rank})

    def bury(self, job):
        self._nack(job, {"x-bury": "true"})

    def touch(self, job):
        address = f"/job/{job.headers['x-job-id']}"
        self._confirm(lambda receipt: self.stomp.send(address, "", headers={"x-event": "touch"}, receipt=receipt))

    # everybody

    def kick(self, bound):
        """Makes up to `bound` jobs of the used tube ready, the buried ones first. Returns how many."""
        headers = {"x-op": "kick", "x-queue": self.tube, "x-count": str(bound), "reply-to": "/temp-queue/answers"}
        self.stomp.send("/queue/Kolejka.Manage", "", headers=headers)
        return json.loads(self.answers.get(timeout=SECONDS).body)["count"]

    def peek(self, state):
        """The next job of the used tube that is `ready`, `delayed` or `buried`, without taking it; None if there is none."""
        look = {"browser": "true", "x-states": state, "x-limit": "1"}
        self.stomp.subscribe(f"/queue/{self.tube}", id="peek", ack="auto", headers=look)
        job = None
        while (frame := self.frames.get(timeout=SECONDS)).headers.get("browser") != "end":
            job = frame
        self.stomp.unsubscribe(id="peek")
        return job

    # the wire

    def _nack(self, job, headers):
        self._settle(job, lambda receipt: self.stomp.nack(job.headers["ack"], receipt=receipt, **headers))

    def _settle(self, job, verb):
        """Whatever becomes of the job, its `reserve` is over."""
        self._confirm(verb)
        self.stomp.unsubscribe(id=job.headers["subscription"])

    def _confirm(self, verb):
        verb("done")
        receipt = self.receipts.get(timeout=SECONDS)
        if "x-refused" in receipt.headers:
            raise Refused(receipt.headers["x-refused"])

    def on_message(self, frame):
        (self.answers if frame.headers["destination"].startswith("/temp-queue/") else self.frames).put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame)
