<?php
// What used to be INSERT INTO tasks: the name of the task in the header `type`, its arguments as JSON in the body.

$stomp = new Stomp('tcp://localhost:' . (getenv('KOLEJKA_PORT') ?: 61613));

$tasks = [
    ['CONTACT_EMAIL', null],
    ['INVITATION_EMAIL', null],
    ['ACCOUNT_DELETE', ['id' => 34532, 'with_opts' => true]],
    ['IMAGE_RESIZE', ['id' => 322, 'thumbs' => true]],
];
foreach ($tasks as [$task, $arguments]) {
    $body = $arguments === null ? '' : json_encode($arguments);
    $stored = $stomp->send('/queue/tasks', $body, ['type' => $task, 'receipt' => uniqid()]);
    echo $stored ? "queued: $task $body\n" : "not queued: $task\n";
}
