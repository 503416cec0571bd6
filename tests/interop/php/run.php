<?php
// The PECL Stomp extension on the command line of PHP, against the broker that KOLEJKA_HOST and KOLEJKA_PORT name.

require __DIR__ . '/check.php';
extension_loaded('stomp') || exit("the stomp extension is not loaded\n");

/** A connection of the given version; null sends no accept-version, which means 1.0. */
function connect(?string $version = null, array $headers = []): Stomp
{
    $more = $version === null ? $headers : ['accept-version' => $version, 'host' => 'localhost'] + $headers;
    $url = 'tcp://' . getenv('KOLEJKA_HOST') . ':' . getenv('KOLEJKA_PORT');
    $stomp = new Stomp($url, getenv('KOLEJKA_LOGIN') ?: '', getenv('KOLEJKA_PASSCODE') ?: '', $more);
    $stomp->setReadTimeout(5);
    return $stomp;
}

/** A destination nobody else uses. */
function fresh(string $kind = 'queue'): string
{
    static $n = 0;
    return "/$kind/php." . getmypid() . '.' . ++$n;
}

/** Headers that ask for a receipt; the extension waits for it and fails when another one comes. */
function receipt(array $more = []): array
{
    static $n = 0;
    return $more + ['receipt' => 'r-' . ++$n];
}

/** The next frame, which must be a MESSAGE. */
function message(Stomp $stomp): StompFrame
{
    $frame = $stomp->readFrame();
    yes($frame instanceof StompFrame, 'a MESSAGE is due');
    same('MESSAGE', $frame->command, 'command');
    return $frame;
}

/** Nothing comes for 200 ms. */
function silence(Stomp $stomp): void
{
    $stomp->setReadTimeout(0, 200000);
    $frame = $stomp->readFrame();
    $stomp->setReadTimeout(5);
    same(false, $frame, 'a frame where none is due');
}

foreach (['connect', 'send', 'acknowledge', 'transactions', 'topics', 'errors'] as $topic) {
    require __DIR__ . "/$topic.php";
}
Tally::close();
