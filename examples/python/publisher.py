"""Tells everybody who listens now."""

import os

import stomp

connection = stomp.Connection([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
connection.connect(wait=True)
for price in ["gold 2391", "silver 31"]:
    connection.send("/topic/prices", price)
    print("published:", price)
connection.disconnect()
