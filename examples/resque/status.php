<?php
// php status.php TOKEN: Resque's four states of a tracked job, as they come; the first line is the present one.

const STATES = [
    'waiting' => 'WAITING',
    'retrying' => 'WAITING',
    'running' => 'RUNNING',
    'completed' => 'COMPLETE',
    'failed' => 'FAILED',
    'buried' => 'FAILED',
    'cancelled' => 'FAILED',
];

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->setReadTimeout(86400);
$stomp->subscribe("/job/$argv[1]", ['id' => 'status', 'ack' => 'auto']);
$shown = null;
do {
    $change = $stomp->readFrame();
    $job = json_decode($change->body);
    $state = STATES[$job->state] ?? 'UNKNOWN';
    if ($state !== $shown) {
        echo $shown = $state, $state === 'FAILED' ? ": {$job->error->message}" : '', "\n";
    }
} while (!isset($change->headers['x-final']));
