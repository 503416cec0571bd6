"""MemcacheQ's two commands: `set` appends to a queue, `get` pops the oldest message or says at once that there is none."""

import os
import queue
import sys

import stomp


class Queues(stomp.ConnectionListener):
    def __init__(self):
        self.messages, self.stored = queue.Queue(), queue.Queue()
        self.stomp = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
        self.stomp.set_listener("queues", self)
        self.stomp.connect(wait=True)

    def set(self, key, message):
        self.stomp.send(f"/queue/{key}", message, receipt="stored")
        self.stored.get()  # it is on the disk

    def get(self, key):
        """What is popped is gone, as it is there. With ack="client-individual" it would survive a crash of this program."""
        self.stomp.subscribe(f"/queue/{key}", id="get", ack="auto", headers={"x-limit": "1", "x-until-empty": "true"})
        message = None
        while "x-end" not in (frame := self.messages.get()).headers:
            message = frame.body
        self.stomp.unsubscribe(id="get")
        return message

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.stored.put(frame)


queues = Queues()
if sys.argv[1:2] == ["set"]:
    queues.set(sys.argv[2], sys.argv[3])
    print("STORED")
elif sys.argv[1:2] == ["get"]:
    print(queues.get(sys.argv[2]) or "END")
else:
    sys.exit("usage: memcacheq.py set KEY MESSAGE | get KEY")
queues.stomp.disconnect()
