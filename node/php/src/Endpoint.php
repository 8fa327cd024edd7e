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

    /** Endpoints with commas between them, `tcp://a:5557,tcp://b:5557` or `tcp://a,b:5557`; null where one is none. */
    public static function readSeveral(mixed $value): ?string
    {
        if (!is_string($value) || !str_contains($value, ',')) {
            return self::read($value);
        }
        $port = substr((string) strrchr($value, ':'), 1);
        $endpoints = [];
        foreach (array_map('trim', explode(',', $value)) as $text) {
            $whole = str_starts_with($text, 'tcp://') ? $text : "tcp://{$text}";
            $endpoints[] = self::read($whole) ?? self::read("{$whole}:{$port}");
        }
        return in_array(null, $endpoints, true) ? null : implode(',', array_unique($endpoints));
    }

    /** An address of the HTTP API, without a slash at its end: `/api` follows the host where no path does. */
    public static function readUrl(string $value): ?string
    {
        $parts = parse_url($value);
        $isBad = !is_array($parts) || ($parts['host'] ?? '') === '' || preg_match('~[\s\x00-\x1f"<>\\\\]~', $value);
        if ($isBad || array_intersect_key($parts, ['user' => 1, 'pass' => 1, 'query' => 1, 'fragment' => 1]) !== []) {
            return null;
        }
        $path = rtrim($parts['path'] ?? '', '/');
        $path = str_ends_with($path, '/push') ? substr($path, 0, -5) : $path;
        $port = isset($parts['port']) ? ":{$parts['port']}" : '';
        return strtolower($parts['scheme']) . "://{$parts['host']}{$port}" . ($path === '' ? '/api' : $path);
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
