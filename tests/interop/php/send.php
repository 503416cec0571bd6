<?php
// Bodies, headers and subscriptions.

test('a message reaches a subscriber', function () {
    $queue = fresh();
    $stomp = connect();
    yes($stomp->subscribe($queue, receipt(['ack' => 'auto'])), 'the subscription is confirmed');
    yes($stomp->send($queue, 'hello', receipt()), 'the send is confirmed');
    $frame = message($stomp);
    same('hello', $frame->body, 'body');
    same($queue, $frame->headers['destination'], 'destination');
    yes($frame->headers['message-id'] !== '', 'a message-id is due');
});

test('a backlog waits for its consumer and keeps its order', function () {
    $queue = fresh();
    $stomp = connect();
    foreach (range(1, 50) as $i) {
        $stomp->send($queue, "job $i");
    }
    $stomp->subscribe($queue, ['ack' => 'auto']);
    foreach (range(1, 50) as $i) {
        same("job $i", message($stomp)->body, 'body');
    }
});

foreach (['1.0', '1.1', '1.2'] as $version) {
    test("a body of all octets survives in $version", function () use ($version) {
        $body = implode('', array_map('chr', range(0, 255))) . "\0\n\0";
        $queue = fresh();
        $stomp = connect($version);
        $stomp->send($queue, $body, receipt());
        $stomp->subscribe($queue, ['ack' => 'auto', 'id' => '1']);
        same(bin2hex($body), bin2hex(message($stomp)->body), 'body');
    });
}

test('an empty body and a large one survive', function () {
    $queue = fresh();
    $stomp = connect();
    $large = str_repeat('0123456789abcdef', 64 * 1024);
    $stomp->send($queue, '', receipt());
    $stomp->send($queue, $large, receipt());
    $stomp->subscribe($queue, ['ack' => 'auto']);
    same('', (string) message($stomp)->body, 'empty body');
    same(md5($large), md5(message($stomp)->body), 'large body');
});

test('user headers pass through, unicode included; receipt and transaction do not leak', function () {
    $queue = fresh();
    $stomp = connect();
    $stomp->send($queue, 'x', receipt(['type' => 'mail', 'x-name' => 'Łódź ☃', 'url' => 'http://a.example/b']));
    $stomp->subscribe($queue, ['ack' => 'auto']);
    $headers = message($stomp)->headers;
    same('mail', $headers['type'], 'type');
    same('Łódź ☃', $headers['x-name'], 'x-name');
    same('http://a.example/b', $headers['url'], 'a colon is left alone in 1.0');
    yes(!isset($headers['receipt']) && !isset($headers['transaction']), 'a hop header leaked');
});

test('escapes of 1.2 arrive decoded at a 1.0 consumer', function () {
    $queue = fresh();
    // The extension does not escape; the sender writes the escapes itself.
    connect('1.2')->send($queue, 'x', receipt(['path' => 'a\\cb\\\\c']));
    $reader = connect('1.0');
    $reader->subscribe($queue, ['ack' => 'auto']);
    same('a:b\\c', message($reader)->headers['path'], 'path');
});

test('a line feed in a header cannot be injected into a 1.0 consumer', function () {
    $queue = fresh();
    connect('1.2')->send($queue, 'x', receipt(['evil' => 'a\\nforged:yes']));
    $reader = connect('1.0');
    $reader->subscribe($queue, ['ack' => 'auto']);
    yes(!isset(message($reader)->headers['forged']), 'a header was injected');
});

test('hasFrame tells when something waits', function () {
    $queue = fresh();
    $stomp = connect();
    $stomp->setReadTimeout(0, 200000);
    $stomp->subscribe($queue, receipt(['ack' => 'auto']));
    same(false, $stomp->hasFrame(), 'hasFrame before');
    $stomp->send($queue, 'x', receipt());
    $stomp->setReadTimeout(5);
    same(true, $stomp->hasFrame(), 'hasFrame after');
    same('x', message($stomp)->body, 'body');
});

test('unsubscribing by destination ends the deliveries', function () {
    $queue = fresh();
    $stomp = connect();
    $stomp->subscribe($queue, receipt(['ack' => 'auto']));
    yes($stomp->unsubscribe($queue, receipt()), 'the end is confirmed');
    $stomp->send($queue, 'later', receipt());
    silence($stomp);
    $stomp->subscribe($queue, receipt(['ack' => 'auto']));
    same('later', message($stomp)->body, 'body');
});

test('a bare name is a queue', function () {
    $name = substr(fresh(), strlen('/queue/'));
    $stomp = connect();
    $stomp->send($name, 'bare', receipt());
    $stomp->subscribe("/queue/$name", ['ack' => 'auto']);
    $frame = message($stomp);
    same('bare', $frame->body, 'body');
    same($name, $frame->headers['destination'], 'destination as it was sent');
});
