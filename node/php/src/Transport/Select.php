<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\Clock;

/**
 * Waiting for descriptors.
 *
 * @internal
 */
final class Select
{
    /**
     * Returns when one of them is ready, at `$until`, or at a signal, whose handler then runs.
     *
     * @param list<resource> $read
     * @param list<resource> $write
     */
    public static function wait(array $read, array $write, float $until): void
    {
        $micros = (int) ceil(max(0.0, $until - Clock::now()) * 1e6);
        if ($read === [] && $write === []) {
            usleep($micros);
            return;
        }
        [$ready] = Quietly::call(static function () use ($read, $write, $micros): int|false {
            $except = null;
            return stream_select($read, $write, $except, intdiv($micros, 1_000_000), $micros % 1_000_000);
        });
        if ($ready === false) {
            // A signal; or a descriptor that select(2) cannot hold (1024 and above), and then this polls.
            usleep(min($micros, 1000));
        }
    }
}
