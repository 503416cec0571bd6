"""Answers questions: each reply goes where the question says, with the question's correlation-id."""

import os
import threading

import stomp

gone = threading.Event()
connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])


class Answers(stomp.ConnectionListener):
    def on_message(self, question):
        same = {"correlation-id": question.headers["correlation-id"]}
        connection.send(question.headers["reply-to"], question.body.upper(), headers=same)
        connection.ack(question.headers["ack"])

    def on_disconnected(self):
        gone.set()


connection.set_listener("answers", Answers())
connection.connect(wait=True)
connection.subscribe("/queue/shout", id="shout", ack="client-individual")
gone.wait()
