"""A FIFO queue: inside a group one message after the other, groups side by side, duplicates dropped."""

from sqs import Sqs

producer, ann, bob = Sqs(), Sqs(), Sqs()


def receive(consumer, maximum=1):
    return consumer.receive_messages("payments", maximum, fifo=True)


for group, body in [("ann", "ann pays 1"), ("ann", "ann pays 2"), ("eve", "eve pays 3"), ("eve", "eve pays 3")]:
    new = producer.send_message("payments", body, group=group, deduplication=body)
    print("sent:" if new else "dropped, sent before:", body)

[first] = receive(ann)
print("received:", first.body)
[second] = receive(bob, maximum=10)
print("its group waits, another does not:", second.body)
ann.delete_message(first)
[third] = receive(ann)
print("deleted, so the next of the group:", third.body)
ann.delete_message(third)
bob.delete_message(second)
