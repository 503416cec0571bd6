<?php
// BEGIN, COMMIT and ABORT.

test('sends of a transaction appear at commit and not before', function () {
    $queue = fresh();
    [$sender, $reader] = [connect(), connect()];
    $reader->subscribe($queue, receipt(['ack' => 'auto']));
    yes($sender->begin('t1', receipt()), 'begin is confirmed');
    yes($sender->send($queue, 'one', receipt(['transaction' => 't1'])), 'a send in a transaction is confirmed at once');
    yes($sender->send($queue, 'two', ['transaction' => 't1']), 'sent');
    silence($reader);
    yes($sender->commit('t1', receipt()), 'commit is confirmed');
    same('one', message($reader)->body, 'body');
    same('two', message($reader)->body, 'body');
});

test('sends of an aborted transaction are never seen', function () {
    $queue = fresh();
    $stomp = connect();
    $stomp->subscribe($queue, receipt(['ack' => 'auto']));
    $stomp->begin('t1');
    $stomp->send($queue, 'never', ['transaction' => 't1']);
    yes($stomp->abort('t1', receipt()), 'abort is confirmed');
    $stomp->send($queue, 'after', receipt());
    same('after', message($stomp)->body, 'body');
});

test('a lost connection aborts its transaction', function () {
    $queue = fresh();
    $stomp = connect();
    $stomp->begin('t1');
    $stomp->send($queue, 'never', receipt(['transaction' => 't1']));
    unset($stomp);
    $reader = connect();
    $reader->subscribe($queue, receipt(['ack' => 'auto']));
    silence($reader);
});

test('an ack in an aborted transaction does not count', function () {
    $queue = fresh();
    $stomp = connect('1.2');
    $stomp->send($queue, 'x', receipt());
    $stomp->subscribe($queue, ['ack' => 'client-individual', 'id' => '1']);
    $frame = message($stomp);
    $stomp->begin('t1', receipt());
    $stomp->ack($frame, receipt(['transaction' => 't1']));
    $stomp->abort('t1', receipt());
    unset($stomp);
    $reader = connect();
    $reader->subscribe($queue, ['ack' => 'auto']);
    $again = message($reader);
    same('x', $again->body, 'body');
    same('true', $again->headers['redelivered'], 'redelivered');
});

test('a message moves from one queue to another in one transaction', function () {
    [$from, $to] = [fresh(), fresh()];
    $stomp = connect('1.2');
    $stomp->send($from, 'x', receipt());
    $stomp->subscribe($from, ['ack' => 'client-individual', 'id' => '1']);
    $frame = message($stomp);
    $stomp->begin('move');
    $stomp->send($to, $frame->body, ['transaction' => 'move']);
    $stomp->ack($frame, ['transaction' => 'move']);
    yes($stomp->commit('move', receipt()), 'commit is confirmed');
    $stomp->subscribe($to, ['ack' => 'auto', 'id' => '2']);
    same('x', message($stomp)->body, 'body');
    unset($stomp);
    $reader = connect();
    $reader->subscribe($from, receipt(['ack' => 'auto']));
    silence($reader);
});
