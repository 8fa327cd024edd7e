<?php

declare(strict_types=1);

namespace Stork;

/** Endpoints, tcp://HOST:PORT: an IPv6 address comes with or without brackets, and leaves with them. */
final class Endpoint
{
    private const FORM = '~^tcp://(?:\[(?<inner>[^\[\]]+)\]|(?<host>[^\[\]]+)):(?<port>\d{1,5})$~D';

    /** The endpoint as sockets take it; null for what is none. */
    public static function read(mixed $value): ?string
    {
        if (!is_string($value) || !preg_match(self::FORM, $value, $parts)) {
            return null;
        }
        $host = $parts['inner'] !== '' ? self::address($parts['inner']) : self::host($parts['host']);
        $port = (int) $parts['port'];
        return $host === null || $port < 1 || $port > 65535 ? null : "tcp://{$host}:{$port}";
    }

    private static function host(string $host): ?string
    {
        return preg_match('~^[^\s:/\[\]]+$~D', $host) ? $host : self::address($host);
    }

    /** An IPv6 address in brackets; a zone (%eth0) may follow it. */
    private static function address(string $text): ?string
    {
        [$address, $zone] = explode('%', $text, 2) + [1 => null];
        if (!filter_var($address, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) || $zone === '') {
            return null;
        }
        return '[' . inet_ntop((string) inet_pton($address)) . ($zone === null ? '' : "%{$zone}") . ']';
    }
}
