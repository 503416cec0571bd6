<?php
// Listens to a topic. Whoever subscribes gets every message from then on.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));
$stomp->setReadTimeout(60);
$stomp->subscribe('/topic/prices', ['ack' => 'auto', 'receipt' => 'listening']);
echo "listening\n";

while (!$stomp->error()) {
    if ($price = $stomp->readFrame()) {
        echo "price: {$price->body}\n";
    }
}
