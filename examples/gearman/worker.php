<?php
// A worker that can do one function, `reverse`. Its progress, its result or its exception go to the job's own address.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->setReadTimeout(60);
$stomp->subscribe('/queue/reverse', ['id' => 'reverse', 'ack' => 'client-individual', 'prefetch-count' => '1']);

function reverse(string $text, callable $progress): string
{
    if ($text === '') {
        throw new InvalidArgumentException('there is nothing to reverse');
    }
    $reversed = '';
    foreach (str_split($text) as $at => $letter) {
        $reversed = $letter . $reversed;
        $progress($at + 1, strlen($text));
    }
    return $reversed;
}

while (!$stomp->error()) {
    if (!$job = $stomp->readFrame()) {
        continue;
    }
    $tell = fn (string $event, string $body, array $headers = []) =>
        $stomp->send("/job/{$job->headers['x-job-token']}", $body, ['x-event' => $event] + $headers);
    echo "job: reverse($job->body)\n";
    try {
        $result = reverse((string) $job->body, fn (int $done, int $of) => $tell('progress', '', ['x-progress' => "$done/$of"]));
        $tell('complete', $result, ['ack' => $job->headers['ack']]);
    } catch (Exception $e) {
        $tell('fail', $e->getMessage(), ['ack' => $job->headers['ack'], 'x-error-class' => $e::class]);
    }
}
