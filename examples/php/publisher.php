<?php
// Tells everybody who listens now.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));

foreach (['gold 2391', 'silver 31'] as $price) {
    $stomp->send('/topic/prices', $price, ['receipt' => "price-$price"]);
    echo "published: $price\n";
}
