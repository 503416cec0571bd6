<?php
// Versions, sessions and the end of a connection.

foreach ([null, '1.0', '1.1', '1.2', '1.0,1.1,1.2'] as $version) {
    test('connects with accept-version ' . ($version ?? 'left out'), function () use ($version) {
        $stomp = connect($version);
        yes($stomp->getSessionId() !== '' && $stomp->getSessionId() !== false, 'a session id is due');
        $queue = fresh();
        yes($stomp->send($queue, 'hello', receipt()), 'a send is confirmed');
    });
}

test('an unknown version is refused with a message', function () {
    yes(refused(fn () => connect('9.9'))->getMessage() !== '', 'a message is due');
});

test('login and passcode of an anonymous user may be empty', function () {
    yes(connect()->getSessionId(), 'a session id is due');
});

test('a page that sends and closes at once loses nothing', function () {
    $queue = fresh();
    for ($i = 0; $i < 20; $i++) {
        $page = connect();
        $page->send($queue, "page $i");
        unset($page); // DISCONNECT, then close without waiting
    }
    $reader = connect();
    $reader->subscribe($queue, ['ack' => 'auto']);
    $bodies = [];
    for ($i = 0; $i < 20; $i++) {
        $bodies[] = message($reader)->body;
    }
    sort($bodies, SORT_NATURAL);
    same(array_map(fn ($i) => "page $i", range(0, 19)), $bodies, 'bodies');
});

test('a first frame other than CONNECT gets an ERROR and the end', function () {
    $socket = fsockopen(getenv('KOLEJKA_HOST'), (int) getenv('KOLEJKA_PORT'));
    stream_set_timeout($socket, 5);
    fwrite($socket, "SEND\ndestination:/queue/php.early\n\nx\0");
    $answer = stream_get_contents($socket);
    yes(str_starts_with($answer, "ERROR\n"), 'ERROR is due, not ' . var_export($answer, true));
    yes(str_contains($answer, "\nmessage:"), 'a message header is due');
});
