<?php
// MemcacheQ's `get`: pops the oldest message, or says at once that there is none. What is popped is gone, as it is there:
// with `ack` 'client-individual' and an ack() the message would survive a crash of this program.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));

function get(string $queue): ?string
{
    global $stomp;
    $headers = ['id' => 'get', 'ack' => 'auto', 'x-limit' => '1', 'x-until-empty' => 'true'];
    $stomp->subscribe("/queue/$queue", $headers);
    for ($message = null; !isset(($frame = $stomp->readFrame())->headers['x-end']);) {
        $message = $frame->body;
    }
    $stomp->unsubscribe("/queue/$queue", ['id' => 'get']);
    return $message;
}

foreach (['queue_1', 'queue_2', 'queue_1', 'queue_1'] as $queue) {
    echo "$queue: ", get($queue) ?? 'END', "\n";
}
