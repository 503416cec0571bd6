<?php
// One of many workers: each row is done by one of them. Ends when there was nothing for half a minute, or as told.

require __DIR__ . '/q4m.php';

$q4m = new Q4M();
while ($row = $q4m->queue_wait(['urgent', 'bulk'], 'size >= 10', (int) ($argv[1] ?? 30))) {
    echo "done: {$row->body}\n";
    $q4m->queue_end($row);
}
echo "nothing more\n";
