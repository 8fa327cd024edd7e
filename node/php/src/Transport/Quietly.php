<?php

declare(strict_types=1);

namespace Stork\Transport;

/**
 * Calls stream functions, whose failures are warnings; an application's error handler, which may throw, sees none.
 *
 * @internal
 */
final class Quietly
{
    /**
     * @template T
     * @param callable(): T $call
     * @return array{T, string} its result, and the text of its last warning
     */
    public static function call(callable $call): array
    {
        $warning = '';
        set_error_handler(static function (int $level, string $text) use (&$warning): bool {
            $warning = $text;
            return true;
        });
        try {
            return [$call(), $warning];
        } finally {
            restore_error_handler();
        }
    }
}
