"""Hands three jobs over, and leaves when the broker has confirmed that they are on its disk."""

import json
import os

import stomp

connection = stomp.Connection([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
confirmed = stomp.listener.WaitingListener("last-job")
connection.set_listener("confirmed", confirmed)
connection.connect(wait=True)

names = ["ann", "bob", "eve"]
for name in names:
    # A receipt covers everything before it on the same connection: the last one is enough.
    receipt = {"receipt": "last-job"} if name == names[-1] else {}
    connection.send("/queue/mail", json.dumps({"to": f"{name}@example.com"}), "application/json", headers=receipt)
confirmed.wait_on_receipt()
print(f"stored: {len(names)} jobs")
connection.disconnect()
