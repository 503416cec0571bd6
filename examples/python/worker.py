"""Does jobs one after the other, for ever. A job that fails is given back, and set aside after 16 tries."""

import json
import os
import threading

import stomp

connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
gone = threading.Event()


class Worker(stomp.ConnectionListener):
    def on_message(self, job):
        try:
            print("sent: mail to", json.loads(job.body)["to"], flush=True)
            connection.ack(job.headers["ack"])
        except (ValueError, KeyError):
            connection.nack(job.headers["ack"])

    def on_disconnected(self):
        gone.set()


connection.set_listener("worker", Worker())
connection.connect(wait=True)
connection.subscribe("/queue/mail", id="mail", ack="client-individual", headers={"prefetch-count": "1"})
gone.wait()
