<?php
// SELECT queue_wait('urgent:size>=10', 'bulk:size>=10', 60): urgent rows first, small ones not at all, each for one owner.

require __DIR__ . '/q4m.php';

[$ann, $bob] = [new Q4M(), new Q4M()];
$wait = fn (Q4M $owner) => $owner->queue_wait(['urgent', 'bulk'], 'size >= 10', 0);

$row = $wait($ann);
echo "ann owns {$row->body}\n";
$other = $wait($bob);
echo "bob owns {$other->body}\n";
$bob->queue_abort($other);
echo "bob aborts\n";
$ann->queue_end($row);
echo "ann is done with {$row->body}\n";
$row = $wait($ann);
echo "ann owns {$row->body}, which was in its old place\n";
$ann->queue_abort($row);
