<?php
// What Resque calls hooks, for every worker and every language at once: the broker tells a topic, if somebody listens.

const HOOKS = [
    'submitted' => 'afterEnqueue',
    'reserved' => 'beforePerform',
    'completed' => 'afterPerform',
    'failed' => 'onFailure',
];

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->setReadTimeout(60);
foreach (array_keys(HOOKS) as $event) {
    $headers = ['id' => $event, 'ack' => 'auto', 'receipt' => $event];
    $stomp->subscribe("/topic/Kolejka.Job.$event.default", $headers);
}
echo "listening\n";

while (!$stomp->error()) {
    if ($hook = $stomp->readFrame()) {
        $job = json_decode($hook->body);
        $event = $hook->headers['subscription'];
        echo HOOKS[$event], ": {$job->type}", $event === 'failed' ? ": {$job->error->message}" : '', "\n";
    }
}
