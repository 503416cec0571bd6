<?php
// ACK and NACK in the three modes. The extension sends every header of the MESSAGE back with its ACK.

/** A queue with the bodies `1` to `$n`, all confirmed. */
function filled(int $n): string
{
    $queue = fresh();
    $stomp = connect();
    foreach (range(1, $n) as $i) {
        yes($stomp->send($queue, (string) $i, receipt()), 'a send is confirmed');
    }
    return $queue;
}

/** What a new consumer of the queue finds, body and `redelivered`, and takes. */
function left(string $queue, int $n): array
{
    $stomp = connect('1.1');
    $stomp->subscribe($queue, ['ack' => 'auto', 'id' => 'left']);
    $found = [];
    for ($i = 0; $i < $n; $i++) {
        $frame = message($stomp);
        $found[$frame->body] = ($frame->headers['redelivered'] ?? 'false') === 'true';
    }
    silence($stomp);
    return $found;
}

/** Ends the connection: the extension writes DISCONNECT and closes. */
function leave(?Stomp &$stomp): void
{
    $stomp = null;
}

foreach ([null, '1.1', '1.2'] as $version) {
    $name = $version ?? '1.0';

    test("an acknowledged message is gone, another returns as redelivered, in $name", function () use ($version) {
        $queue = filled(2);
        $stomp = connect($version);
        $stomp->subscribe($queue, ['ack' => 'client-individual', 'id' => '1']);
        message($stomp);
        $second = message($stomp);
        yes($stomp->ack($second, receipt()), 'the ack is confirmed');
        leave($stomp);
        same([1 => true], left($queue, 1), 'left');
    });

    test("client mode acknowledges all that came before, in $name", function () use ($version) {
        $queue = filled(4);
        $stomp = connect($version);
        $stomp->subscribe($queue, ['ack' => 'client', 'id' => '1']);
        message($stomp);
        message($stomp);
        $third = message($stomp);
        message($stomp);
        yes($stomp->ack($third, receipt()), 'the ack is confirmed');
        leave($stomp);
        same([4 => true], left($queue, 1), 'left');
    });

    test("auto mode needs no ack, in $name", function () use ($version) {
        $queue = filled(2);
        $stomp = connect($version);
        $stomp->subscribe($queue, receipt(['ack' => 'auto', 'id' => '1']));
        message($stomp);
        message($stomp);
        leave($stomp);
        same([], left($queue, 0), 'left');
    });
}

test('the default mode of the extension is client', function () {
    $queue = filled(1);
    $stomp = connect();
    $stomp->subscribe($queue);
    message($stomp);
    leave($stomp);
    same([1 => true], left($queue, 1), 'left');
});

test('one prefetched message at a time is shared by two workers', function () {
    $queue = filled(2);
    [$a, $b] = [connect(), connect()];
    foreach ([$a, $b] as $worker) {
        $worker->subscribe($queue, receipt(['ack' => 'client-individual', 'activemq.prefetchSize' => '1']));
    }
    $bodies = [message($a)->body, message($b)->body];
    sort($bodies);
    same(['1', '2'], $bodies, 'bodies');
});

test('a nacked message comes back marked, with its count', function () {
    $queue = filled(1);
    $stomp = connect('1.1');
    $stomp->subscribe($queue, ['ack' => 'client-individual', 'id' => '1']);
    $first = message($stomp);
    yes(!isset($first->headers['redelivered']), 'the first delivery is not marked');
    yes($stomp->nack($first, receipt() + ['x-delay' => '0']) !== false, 'the nack is confirmed');
    $again = message($stomp);
    same($first->headers['message-id'], $again->headers['message-id'], 'message-id');
    same('true', $again->headers['redelivered'], 'redelivered');
    same('2', $again->headers['delivery-count'], 'delivery-count');
    yes($stomp->ack($again, receipt()), 'the ack is confirmed');
});

test('a message nacked to the limit ends in the dead-letter queue', function () {
    $queue = filled(1);
    $stomp = connect('1.2');
    $stomp->subscribe($queue, ['ack' => 'client-individual', 'id' => '1']);
    for ($i = 1; $i <= 16; $i++) {
        $frame = message($stomp);
        same((string) $i, $frame->headers['delivery-count'] ?? '1', 'delivery-count');
        $stomp->nack($frame, receipt() + ['x-delay' => '0']);
    }
    silence($stomp);
    $stomp->subscribe('/queue/DLQ.' . substr($queue, strlen('/queue/')), ['ack' => 'auto', 'id' => 'dead']);
    $dead = message($stomp);
    same('1', $dead->body, 'body');
    yes(count(array_filter(array_keys($dead->headers), fn ($h) => str_contains($h, 'reason'))) > 0, 'a reason header is due');
});
