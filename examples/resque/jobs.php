<?php
// What can be enqueued: a class with perform(), and setUp() and tearDown() around it.

class My_Job
{
    public function setUp(): void {}

    public function perform(array $args): void
    {
        if (!isset($args['name'])) {
            throw new Exception('whom shall I greet?');
        }
        echo "Hello, {$args['name']}\n";
    }

    public function tearDown(): void {}
}
