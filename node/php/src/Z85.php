<?php

declare(strict_types=1);

namespace Stork;

/**
 * ZeroMQ's text form of a key (RFC 32): 5 characters for 4 bytes.
 *
 * @internal
 */
final class Z85
{
    private const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';

    /** The bytes, or null where the text is not Z85. */
    public static function decode(string $text): ?string
    {
        if (strlen($text) % 5 !== 0 || strspn($text, self::ALPHABET) !== strlen($text)) {
            return null;
        }
        $bytes = '';
        foreach ($text === '' ? [] : str_split($text, 5) as $group) {
            $number = 0;
            foreach (str_split($group) as $character) {
                $number = $number * 85 + strpos(self::ALPHABET, $character);
            }
            if ($number > 0xFFFFFFFF) {
                return null;
            }
            $bytes .= pack('N', $number);
        }
        return $bytes;
    }
}
