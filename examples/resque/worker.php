<?php
// QUEUE=default php worker.php: takes jobs one by one, and stops when the connection does.

require __DIR__ . '/jobs.php';

$queue = getenv('QUEUE') ?: 'default';
$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->setReadTimeout(60);
$stomp->subscribe("/queue/$queue", ['id' => 'worker', 'ack' => 'client-individual', 'prefetch-count' => '1']);

while (!$stomp->error()) {
    if (!$job = $stomp->readFrame()) {
        continue;
    }
    try {
        $work = new $job->headers['type'](); // beforePerform: a hook that may say no belongs here
        $work->setUp();
        $work->perform(json_decode($job->body, true));
        $work->tearDown();
        $stomp->ack($job);
    } catch (Exception $e) {
        $stomp->nack($job, ['x-error' => $e->getMessage(), 'x-error-class' => $e::class]);
    }
}
