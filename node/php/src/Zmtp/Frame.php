<?php

declare(strict_types=1);

namespace Stork\Zmtp;

/**
 * ZMTP 3 framing (RFC 37): a byte of flags, a length of 1 or 8 bytes, a body.
 *
 * @internal
 */
final class Frame
{
    public const MORE = 1;
    public const LONG = 2;
    public const COMMAND = 4;

    public static function encode(int $flags, string $body): string
    {
        $length = strlen($body);
        return $length > 255 ? pack('CJ', $flags | self::LONG, $length) . $body : pack('CC', $flags, $length) . $body;
    }

    /** The body of a command frame. */
    public static function command(string $name, string $data): string
    {
        return chr(strlen($name)) . $name . $data;
    }

    /** @return array{string, string} name and data of a command's body; the name is empty where it is malformed */
    public static function parseCommand(string $body): array
    {
        $length = $body === '' ? 0 : ord($body[0]);
        return $length > strlen($body) - 1 ? ['', $body] : [substr($body, 1, $length), substr($body, 1 + $length)];
    }
}
