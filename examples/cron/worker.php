<?php
// */5 * * * *  php worker.php
// Takes the tasks that are there, one after the other, and ends when nothing is left. Being with a worker is what marks a
// task as taken, its ack removes it. A worker that is killed in between has removed nothing: the mark goes with it.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613), '', '', ['accept-version' => '1.2']);
$stomp->subscribe('/queue/tasks', [
    'id' => 'tasks',
    'ack' => 'client-individual',
    'prefetch-count' => '1',
    'x-until-empty' => 'true',
]);

function execute(string $task, array $arguments): void
{
    usleep(1000 * (int) (getenv('TASK_MS') ?: 10)); // in place of real work
}

while ($task = $stomp->readFrame()) {
    if (isset($task->headers['x-end'])) {
        exit("nothing left\n");
    }
    $name = trim("{$task->headers['type']} {$task->body}");
    $again = isset($task->headers['redelivered']) ? ', not for the first time' : '';
    echo "marked: $name$again\n";
    execute($task->headers['type'], json_decode($task->body ?: '[]', true));
    echo "executed: $name\n";
    $stomp->ack($task, ['receipt' => 'removed-' . $task->headers['message-id']]);
    echo "removed: $name\n";
}
exit("connection lost\n");
