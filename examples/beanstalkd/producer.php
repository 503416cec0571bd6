<?php
// `use testtube`, then `put`: a tube is a queue. Urgency 0 goes first, times are milliseconds.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));

function put(string $tube, string $job, int $priority = 1024, int $delay_ms = 0, int $ttr_ms = 60000): bool
{
    global $stomp;
    return $stomp->send("/queue/$tube", $job, [
        'receipt' => uniqid(),
        'x-urgency' => (string) $priority,
        'x-delay' => (string) $delay_ms,
        'x-ttr' => (string) $ttr_ms,
    ]);
}

put('default', 'not for the worker');
put('testtube', 'hello');
put('testtube', 'hello, urgently', priority: 0);
put('testtube', 'hello, half a second late', delay_ms: 500);
echo "put: 3 jobs into testtube\n";
