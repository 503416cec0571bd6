<?php
// php enqueue.php '{"name":"Chris"}': Resque::enqueue('default', 'My_Job', $args, true), and the token on a line of its own.

function enqueue(string $queue, string $class, array $args, bool $track = false): string
{
    $token = bin2hex(random_bytes(16));
    $stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));
    $headers = ['type' => $class, 'receipt' => $token, 'x-max-deliveries' => '1']; // Resque tries once
    $headers += $track ? ['x-track' => 'true', 'x-job-token' => $token] : [];
    $stomp->send("/queue/$queue", json_encode($args), $headers);
    return $token;
}

// beforeEnqueue: a hook that may say no belongs to the program that enqueues.
$args = json_decode($argv[1] ?? '{"name":"Chris"}', true, flags: JSON_THROW_ON_ERROR);
echo enqueue('default', 'My_Job', $args, true), "\n";
