"""Listens to a topic. Whoever subscribes gets every message from then on."""

import os
import threading

import stomp

gone = threading.Event()


class Listener(stomp.ConnectionListener):
    def on_receipt(self, frame):
        print(frame.headers["receipt-id"], flush=True)

    def on_message(self, price):
        print("price:", price.body, flush=True)

    def on_disconnected(self):
        gone.set()


connection = stomp.Connection([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
connection.set_listener("prices", Listener())
connection.connect(wait=True)
connection.subscribe("/topic/prices", id="prices", headers={"receipt": "listening"})
gone.wait()
