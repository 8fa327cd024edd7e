<?php

declare(strict_types=1);

namespace Stork;

/**
 * Monotonic time in seconds, of no particular beginning.
 *
 * @internal
 */
final class Clock
{
    public static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
