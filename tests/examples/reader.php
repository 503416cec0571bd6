<?php
// What the reader of a section of `docs/` has at hand when he pastes its PHP: a connection, and names for what is his.

function connect(): Stomp
{
    $stomp = new Stomp('tcp://localhost:' . getenv('KOLEJKA_PORT'), '', '', ['accept-version' => '1.2']);
    $stomp->setReadTimeout(0, 200000);
    return $stomp;
}

function work(mixed ...$what): void {}
function book(mixed $what): void {}
function bill(mixed ...$what): void {}
function resize(mixed $what): string { return (string) $what; }
function send_mail(mixed $what): bool { return true; }

/** Once, and then there is a film to work on. */
function machine_is_idle(): bool
{
    static $times = 0;
    return $times++ === 0 && connect()->send('/queue/video', 'film.avi', ['receipt' => 'film']);
}

$stomp = connect();
[$id, $order, $invoice, $mail, $json] = [17, ['number' => 17], 'invoice', ['to' => 'ann@example.com'], '{"number":17}'];

// An ERROR of the broker throws from whatever reads; a receipt at the end covers all frames of the section.
register_shutdown_function(function () use (&$stomp) {
    if (error_get_last() === null && $stomp->send('/queue/end-of-page', '', ['receipt' => 'end-of-page'])) {
        echo "page read\n";
    }
});
