<?php
// MemcacheQ's `set`: appends to a queue, which is there as soon as something is in it.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));

function set(string $queue, string $message): bool
{
    global $stomp;
    return $stomp->send("/queue/$queue", $message, ['receipt' => uniqid()]); // true: it is on the disk
}

foreach ([['queue_1', 'message 1'], ['queue_1', 'message 2'], ['queue_2', 'message 1']] as [$queue, $message]) {
    echo set($queue, $message) ? "STORED $queue: $message\n" : "NOT_STORED\n";
}
