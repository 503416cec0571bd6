"""Two callers of `reverse` with one unique key: it is worked on once, its progress is watched, both get the result."""

import json
import os
import queue
import uuid

import stomp


class Caller(stomp.ConnectionListener):
    def __init__(self):
        self.changes, self.results, self.receipts = queue.Queue(), queue.Queue(), queue.Queue()
        self.stomp = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
        self.stomp.set_listener("caller", self)
        self.stomp.connect(wait=True)

    def call(self, function, workload, unique):
        """The token of the job, and whether it was there before."""
        job = {"x-job-token": str(uuid.uuid4()), "x-track": "result", "x-unique": unique}
        reply = {"reply-to": "/temp-queue/result", "correlation-id": function}
        self.stomp.send(f"/queue/{function}", workload, headers={**job, **reply}, receipt="called")
        receipt = self.receipts.get(timeout=10)
        return receipt.headers["x-job-token"], "x-duplicate" in receipt.headers

    def watch(self, token):
        self.stomp.subscribe(f"/job/{token}", id="watch", receipt="watching")
        self.receipts.get(timeout=10)

    def on_receipt(self, frame):
        self.receipts.put(frame)

    def on_message(self, frame):
        (self.changes if frame.headers["subscription"] == "watch" else self.results).put(frame)


ann, bob = Caller(), Caller()
token, attached = ann.call("reverse", "Hello World!", unique="hello")
print("ann's call was there before:", attached)
same, attached = bob.call("reverse", "Hello World!", unique="hello")
print("bob's call was there before:", attached, "| the same job:", token == same)

ann.watch(token)
print("watching", flush=True)
while "x-final" not in (change := ann.changes.get(timeout=20)).headers:
    pass
progress = json.loads(change.body)["progress"]
print(f"progress: {progress['num']}/{progress['den']}")
for name, caller in [("ann", ann), ("bob", bob)]:
    print(f"{name}'s result:", caller.results.get(timeout=20).body)
