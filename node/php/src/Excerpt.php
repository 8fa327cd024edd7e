<?php

declare(strict_types=1);

namespace Stork;

/**
 * The first bytes of something foreign, made safe to print in an error.
 *
 * @internal
 */
final class Excerpt
{
    private const BYTES = 40;

    public static function of(string $bytes): string
    {
        return "'" . addcslashes(substr($bytes, 0, self::BYTES), "\0..\37'\\\177..\377")
            . (strlen($bytes) > self::BYTES ? '…' : '') . "'";
    }
}
