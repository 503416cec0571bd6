<?php
// Hands three jobs over. With a receipt, send() returns when the job is on the broker's disk.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));

foreach (['ann', 'bob', 'eve'] as $name) {
    $job = json_encode(['to' => "$name@example.com"]);
    $headers = ['receipt' => "job-$name", 'content-type' => 'application/json'];
    if (!$stomp->send('/queue/mail', $job, $headers)) {
        exit("not stored: $name\n");
    }
    echo "stored: mail to $name\n";
}
