<?php

declare(strict_types=1);

namespace Stork\Zmtp;

use Stork\ConnectionFailed;

/**
 * The properties that both peers tell each other in the handshake.
 *
 * @internal
 */
final class Metadata
{
    public static function ours(): string
    {
        return self::property('Socket-Type', 'DEALER') . self::property('Identity', '');
    }

    /**
     * @return array<string, string> by name in lower case: names are case-insensitive
     * @throws ConnectionFailed
     */
    public static function decode(string $bytes): array
    {
        $properties = [];
        for ($at = 0, $end = strlen($bytes); $at < $end;) {
            $nameLength = ord($bytes[$at]);
            $valueAt = $at + 1 + $nameLength + 4;
            $valueLength = $valueAt <= $end ? unpack('N', $bytes, $valueAt - 4)[1] : 0;
            if ($valueAt + $valueLength > $end) {
                throw new ConnectionFailed('its ZMTP handshake is malformed');
            }
            $properties[strtolower(substr($bytes, $at + 1, $nameLength))] = substr($bytes, $valueAt, $valueLength);
            $at = $valueAt + $valueLength;
        }
        return $properties;
    }

    private static function property(string $name, string $value): string
    {
        return chr(strlen($name)) . $name . pack('N', strlen($value)) . $value;
    }
}
