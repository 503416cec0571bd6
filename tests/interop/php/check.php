<?php
// The smallest test runner that counts: a test is a name and a function that throws when something is wrong.

final class Wrong extends Exception
{
}

/** Runs one test at once and remembers how it went. */
function test(string $name, callable $body): void
{
    try {
        $body();
        Tally::$passed++;
        echo "ok    $name\n";
    } catch (Throwable $e) {
        Tally::$failed++;
        echo "FAIL  $name\n      ", get_class($e), ': ', $e->getMessage(), ' at line ', $e->getLine(), "\n";
    }
}

function same(mixed $expected, mixed $actual, string $what = 'value'): void
{
    if ($expected !== $actual) {
        throw new Wrong("$what: expected " . var_export($expected, true) . ', got ' . var_export($actual, true));
    }
}

function yes(mixed $truth, string $what): void
{
    if (!$truth) {
        throw new Wrong($what);
    }
}

/** The StompException that the function must throw. */
function refused(callable $body): StompException
{
    try {
        $body();
    } catch (StompException $e) {
        return $e;
    }
    throw new Wrong('nothing was refused');
}

final class Tally
{
    public static int $passed = 0;
    public static int $failed = 0;

    /** The last line of a suite, and its exit status. */
    public static function close(): never
    {
        echo self::$passed, ' passed, ', self::$failed, " failed\n";
        exit(self::$failed === 0 && self::$passed > 0 ? 0 : 1);
    }
}
