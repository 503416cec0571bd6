"""Asks and waits for the answer on a temporary queue, which lives as long as this connection."""

import os
import queue

import stomp

answers = queue.Queue()


class Replies(stomp.ConnectionListener):
    def on_message(self, answer):
        answers.put(answer)


connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
connection.set_listener("replies", Replies())
connection.connect(wait=True)
connection.subscribe("/temp-queue/replies", id="replies")
for number, text in enumerate(["hello", "is anybody there?"]):
    headers = {"reply-to": "/temp-queue/replies", "correlation-id": str(number)}
    connection.send("/queue/shout", text, headers=headers)
    answer = answers.get(timeout=10)
    print(answer.headers["correlation-id"], answer.body)
connection.disconnect()
