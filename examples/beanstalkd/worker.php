<?php
// `watch testtube`, `ignore default`, then reserve and delete for ever. With a prefetch of 1 the ack of one job is the
// `reserve` of the next.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->setReadTimeout(60);
$stomp->subscribe('/queue/testtube', ['id' => 'watch', 'ack' => 'client-individual', 'prefetch-count' => '1']);

while (!$stomp->error()) {
    if ($job = $stomp->readFrame()) {
        echo "reserved: {$job->body}\n";
        $stomp->ack($job, ['receipt' => 'delete-' . $job->headers['message-id']]); // delete
        echo "deleted: {$job->body}\n";
        // Otherwise: release is nack($job, ['x-delay' => '0']), bury is nack($job, ['x-bury' => 'true']),
        // touch is send('/job/' . $job->headers['x-job-id'], '', ['x-event' => 'touch']).
    }
}
