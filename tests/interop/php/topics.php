<?php
// Topics and replies.

test('a topic reaches every subscriber and none that came late', function () {
    $topic = fresh('topic');
    [$a, $b, $late, $sender] = [connect(), connect(), connect(), connect()];
    $a->subscribe($topic, receipt(['ack' => 'auto']));
    $b->subscribe($topic, receipt(['ack' => 'auto']));
    $sender->send($topic, 'news', receipt());
    $late->subscribe($topic, receipt(['ack' => 'auto']));
    same('news', message($a)->body, 'body at a');
    same('news', message($b)->body, 'body at b');
    silence($late);
});

test('a request gets its reply over a temporary queue', function () {
    $queue = fresh();
    [$client, $server] = [connect(), connect()];
    $server->subscribe($queue, receipt(['ack' => 'auto']));
    $client->subscribe('/temp-queue/replies', receipt(['ack' => 'auto']));
    $client->send($queue, '6*7', receipt(['reply-to' => '/temp-queue/replies', 'correlation-id' => 'c-1']));
    $request = message($server);
    $server->send($request->headers['reply-to'], '42', receipt(['correlation-id' => $request->headers['correlation-id']]));
    $reply = message($client);
    same('42', $reply->body, 'body');
    same('c-1', $reply->headers['correlation-id'], 'correlation-id');
});
