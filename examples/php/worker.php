<?php
// Does jobs one after the other, for ever. A job that fails is given back, and set aside after 16 tries.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->setReadTimeout(60);
$stomp->subscribe('/queue/mail', ['id' => 'mail', 'ack' => 'client-individual', 'prefetch-count' => '1']);

while (!$stomp->error()) { // the connection is lost: end, and let a supervisor start the next one
    $job = $stomp->readFrame();
    if ($job === false) {
        continue; // nothing for a minute
    }
    try {
        $mail = json_decode($job->body, true, flags: JSON_THROW_ON_ERROR);
        echo "sent: mail to {$mail['to']}\n";
        $stomp->ack($job);
    } catch (JsonException $e) {
        $stomp->nack($job);
    }
}
