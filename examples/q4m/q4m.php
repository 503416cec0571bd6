<?php
// Q4M's functions over STOMP: a table is a queue, a column is a header. A row belongs to one owner until queue_end().

class Q4M
{
    private Stomp $stomp;
    private int $waits = 0;

    public function __construct()
    {
        $port = getenv('KOLEJKA_PORT') ?: 61613;
        $this->stomp = new Stomp("tcp://localhost:$port", '', '', ['accept-version' => '1.2']);
    }

    public function insert(string $table, string $row, array $columns): bool
    {
        return $this->stomp->send("/queue/$table", $row, $columns + ['receipt' => uniqid()]);
    }

    /** The first row that meets the condition, looked for in table after table; null if none came in time. */
    public function queue_wait(array $tables, string $condition = '', int $seconds = 60): ?StompFrame
    {
        $this->stomp->setReadTimeout($seconds + 10); // the broker says when the time is over
        $queues = '/queue/' . implode(',/queue/', $tables);
        $this->stomp->subscribe($queues, [
            'id' => (string) ++$this->waits,
            'ack' => 'client-individual',
            'selector' => $condition,
            'x-order' => 'strict',
            'x-limit' => '1',
            'x-wait' => (string) (1000 * $seconds),
        ]);
        for ($row = null; !isset(($frame = $this->stomp->readFrame())->headers['x-end']);) {
            $row = $frame;
        }
        if ($row === null) {
            $this->stomp->unsubscribe($queues, ['id' => (string) $this->waits]);
            return null;
        }
        $this->stomp->begin($row->headers['ack']);
        $this->stomp->ack($row, ['transaction' => $row->headers['ack']]);
        return $row;
    }

    /** The row is done and gone. */
    public function queue_end(StompFrame $row): void
    {
        $this->stomp->commit($row->headers['ack'], ['receipt' => uniqid()]);
        $this->stomp->unsubscribe($row->headers['destination'], ['id' => $row->headers['subscription']]);
    }

    /** The row goes back to its place, as if nobody had taken it. */
    public function queue_abort(StompFrame $row): void
    {
        $this->stomp->abort($row->headers['ack'], ['redeliver' => 'true', 'receipt' => uniqid()]);
        $this->stomp->unsubscribe($row->headers['destination'], ['id' => $row->headers['subscription']]);
    }
}
