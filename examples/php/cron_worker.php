<?php
// Instead of a table of jobs that cron looks through: started by cron, takes what is there, and leaves.
// A crash in the middle loses nothing: what was not acknowledged is there for the next run.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->setReadTimeout(1); // one second without a job means that there is none
$stomp->subscribe('/queue/reports', ['id' => 'reports', 'ack' => 'client-individual', 'prefetch-count' => '1']);

$done = 0;
while ($job = $stomp->readFrame()) {
    echo "report: {$job->body}\n";
    $stomp->ack($job, ['receipt' => $job->headers['message-id']]);
    $done++;
}
echo $stomp->error() ? "connection lost\n" : "done: $done\n";
