<?php
// What the broker refuses, as the extension sees it.

/** Reads until the ERROR that must come; the extension throws it. */
function error_of(Stomp $stomp): StompException
{
    return refused(function () use ($stomp) {
        for ($i = 0; $i < 5; $i++) {
            $stomp->readFrame();
        }
    });
}

test('a commit of an unknown transaction is an ERROR with a message', function () {
    $stomp = connect();
    $stomp->commit('nobody');
    yes(error_of($stomp)->getMessage() !== '', 'a message is due');
});

test('a second subscription of the same id is an ERROR', function () {
    $stomp = connect('1.2');
    $stomp->subscribe(fresh(), ['id' => '1', 'ack' => 'auto']);
    $stomp->subscribe(fresh(), ['id' => '1', 'ack' => 'auto']);
    yes(error_of($stomp)->getMessage() !== '', 'a message is due');
});

test('an unknown ack mode is an ERROR', function () {
    $stomp = connect();
    $stomp->subscribe(fresh(), ['ack' => 'maybe']);
    yes(error_of($stomp)->getMessage() !== '', 'a message is due');
});

test('an error of one client leaves another alone', function () {
    $queue = fresh();
    [$good, $bad] = [connect(), connect()];
    $good->subscribe($queue, receipt(['ack' => 'auto']));
    $bad->commit('nobody');
    error_of($bad);
    $good->send($queue, 'still here', receipt());
    same('still here', message($good)->body, 'body');
});
