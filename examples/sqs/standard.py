"""A standard queue: visibility, a long wait, duplicates, dead letters and their way back."""

from concurrent.futures import ThreadPoolExecutor

from sqs import Refused, Sqs

producer, consumer, other = Sqs(), Sqs(), Sqs()


def bodies(messages):
    return [message.body for message in messages]


with ThreadPoolExecutor() as pool:
    waiting = pool.submit(consumer.receive_messages, "orders", wait=20)
    producer.send_message("orders", "order 1")
    [message] = waiting.result()
print("a long wait brings:", message.body)
print("nobody else sees it:", bodies(other.receive_messages("orders")))

consumer.change_message_visibility(message, 0.2)
[again] = other.receive_messages("orders", wait=20)
print("when its visibility is over:", again.body, "| receive count", again.headers["delivery-count"])
try:
    consumer.delete_message(message)
except Refused as why:
    print("who comes too late is told:", why)
other.change_message_visibility(again, 60)
other.delete_message(again)
print("extended and deleted; left:", bodies(consumer.receive_messages("orders")))

new = [producer.send_message("orders", "order 2", deduplication="order-2") for _ in range(2)]
producer.send_message("orders", "order 3", max_receive_count=2)
print("new to the queue:", new)
messages = consumer.receive_messages("orders", maximum=10)
print("up to ten at once:", bodies(messages))
consumer.delete_message(messages[0])

consumer.change_message_visibility(messages[1], 0)
[message] = consumer.receive_messages("orders", wait=20)
consumer.change_message_visibility(message, 0)
[dead] = other.receive_messages("DLQ.orders", wait=20)
print("received too often:", dead.body, "|", dead.headers["x-death-reason"])
other.change_message_visibility(dead, 0)
print("redriven:", producer.start_message_move_task("DLQ.orders"))
[message] = consumer.receive_messages("orders", wait=20)
print("and back in its queue:", message.body)
consumer.delete_message(message)
