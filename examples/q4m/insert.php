<?php
// INSERT INTO urgent/bulk (size) VALUES ...

require __DIR__ . '/q4m.php';

$q4m = new Q4M();
foreach ([['bulk', 'film', 700], ['bulk', 'song', 4], ['urgent', 'alarm', 50], ['bulk', 'album', 60]] as [$table, $row, $size]) {
    $q4m->insert($table, $row, ['size' => (string) $size]);
    echo "inserted into $table: $row, size $size\n";
}
