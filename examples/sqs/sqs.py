"""What Amazon SQS does, over STOMP, one class to copy: names are those of its API, times are seconds.

What differs: who has received a message is this connection; when it is lost, the message is visible again at once.
"""

import json
import os
import queue
from collections import Counter

import stomp

SECONDS = 10  # longest wait for an answer of the broker


class Refused(Exception):
    """The message is not ours any more."""


class Sqs(stomp.ConnectionListener):
    def __init__(self, host="localhost", port=int(os.environ.get("KOLEJKA_PORT", 61613))):
        self.number, self.held = 0, Counter()
        self.frames, self.receipts, self.answers = queue.Queue(), queue.Queue(), queue.Queue()
        self.stomp = stomp.Connection12([(host, port)])
        self.stomp.set_listener("sqs", self)
        self.stomp.connect(wait=True)

    def send_message(self, queue, body, delay=0, max_receive_count=16, group=None, deduplication=None):
        """Whether it is new: a queue takes a deduplication id once in ten minutes."""
        headers = {"x-delay": str(int(delay * 1000)), "x-max-deliveries": str(max_receive_count)}
        if group:
            headers["JMSXGroupID"] = group
        if deduplication:
            headers["idempotency-key"] = deduplication
        receipt = self._confirm(lambda done: self.stomp.send(f"/queue/{queue}", body, headers=headers, receipt=done))
        return "x-duplicate" not in receipt.headers

    def receive_messages(self, queue, maximum=1, visibility=30, wait=0, fifo=False):
        """Waits for one message, takes what else is there; nobody else sees them for the time of `visibility`."""
        headers = {"x-ttr": str(int(visibility * 1000)), **({"x-groups": "exclusive"} if fifo else {})}
        messages = self._take(queue, {**headers, "x-limit": "1", "x-wait": str(int(wait * 1000))}, wait)
        if messages and maximum > 1:
            messages += self._take(queue, {**headers, "x-limit": str(maximum - 1), "x-until-empty": "true"})
        return messages

    def change_message_visibility(self, message, visibility):
        """So long from now; 0 makes it visible at once."""
        if visibility == 0:
            self._settle(message, lambda done: self.stomp.nack(message.headers["ack"], receipt=done, **{"x-delay": "0"}))
            return
        address, ms = f"/job/{message.headers['x-job-id']}", str(int(visibility * 1000))
        touch = {"x-event": "touch", "x-ttr": ms}
        self._confirm(lambda done: self.stomp.send(address, "", headers=touch, receipt=done))

    def delete_message(self, message):
        self._settle(message, lambda done: self.stomp.ack(message.headers["ack"], receipt=done))

    def start_message_move_task(self, dead_letters, per_second=None):
        """Dead letters go back to the queues that they come from. Returns how many."""
        headers = {"x-op": "move", "x-queue": dead_letters, "reply-to": "/temp-queue/answers"}
        if per_second:
            headers["x-rate"] = str(per_second)
        self.stomp.send("/queue/Kolejka.Manage", "", headers=headers)
        return json.loads(self.answers.get(timeout=SECONDS).body)["count"]

    def _take(self, queue, headers, wait=0):
        self.number += 1
        self.stomp.subscribe(f"/queue/{queue}", id=str(self.number), ack="client-individual", headers=headers)
        messages = []
        while "x-end" not in (frame := self.frames.get(timeout=wait + SECONDS)).headers:
            messages.append(frame)
        self.held[str(self.number)] = len(messages)
        if not messages:
            self.stomp.unsubscribe(id=str(self.number))
        return messages

    def _settle(self, message, verb):
        self._confirm(verb)
        taken = message.headers["subscription"]
        self.held[taken] -= 1
        if self.held[taken] == 0:
            self.stomp.unsubscribe(id=taken)

    def _confirm(self, verb):
        verb("done")
        receipt = self.receipts.get(timeout=SECONDS)
        if "x-refused" in receipt.headers:
            raise Refused(receipt.headers["x-refused"])
        return receipt

    def on_message(self, frame):
        (self.answers if frame.headers["destination"].startswith("/temp-queue/") else self.frames).put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame)
