<?php
// The page hands the slow work over and answers at once, with the token by which its progress and result are found.

$began = hrtime(true);
$token = bin2hex(random_bytes(16));
$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));
$stored = $stomp->send('/queue/thumbnails', json_encode(['image' => $_GET['image'] ?? 'cat.png']), [
    'x-job-token' => $token,
    'x-track' => 'result',
    'receipt' => $token,
]);

header('content-type: application/json');
http_response_code($stored ? 202 : 503);
echo json_encode(['token' => $token, 'ms' => round((hrtime(true) - $began) / 1e6, 1)]);
