<?php

declare(strict_types=1);

namespace Stork;

/** Everything a Publisher is told, checked once. What is not given comes from the environment. */
final class Settings
{
    private const PORT = 5557;
    private const NAMES = ['endpoint', 'timeout_ms', 'secret', 'push_key', 'transport', 'api_key', 'warn'];
    private const TRANSPORTS = ['auto', 'stream', 'ext-zmq'];

    private function __construct(
        public readonly string $endpoint,
        public readonly int $timeoutMs,
        public readonly ?CurveKeys $keys,
        public readonly string $transport,
        #[\SensitiveParameter] public readonly string $apiKey = '',
        public readonly ?\Closure $warn = null,
    ) {
    }

    /**
     * @param array<string, mixed> $options
     *     `endpoint`: tcp://HOST:PORT, the publish server's ROUTER; otherwise port 5557 of the host in
     *     STORK_PUBLISH_SERVER, otherwise of 127.0.0.1. Several that share an engine have commas between them.
     *     Or an address of the HTTP API, https://HOST, with an `api_key`.
     *     `timeout_ms`: for a whole call, its retries included; 2000.
     *     `secret`: the bus secret; otherwise STORK_BUS_SECRET; null or '' for none.
     *     `push_key`: 80 characters, in place of the secret.
     *     `api_key`: of the HTTP API; otherwise STORK_API_KEY.
     *     `transport`: 'auto', 'stream' or 'ext-zmq'.
     *     `warn`: called with a sentence about a push that no client can get, and about integers that JavaScript rounds
     *     (beyond 2^53): each sentence once. Such as `error_log(...)`.
     *
     * @throws InvalidSettings naming each that is wrong
     * @throws MissingExtension CURVE without sodium, or `ext-zmq` without zmq
     */
    public static function from(#[\SensitiveParameter] array $options): self
    {
        $problems = [];
        foreach (array_diff_key($options, array_flip(self::NAMES)) as $name => $_) {
            $problems[] = "'{$name}' is not a setting (those are " . implode(', ', self::NAMES) . ')';
        }
        $given = $options['endpoint'] ?? null;
        $host = $given === null ? self::environment('STORK_PUBLISH_SERVER') : '';
        $isHttp = is_string($given) && preg_match('~^https?://~i', $given) === 1;
        $endpoint = $isHttp ? Endpoint::readUrl($given) : Endpoint::readSeveral($given ?? 'tcp://' . ($host === '' ? '127.0.0.1' : $host) . ':' . self::PORT);
        if ($endpoint === null) {
            $problems[] = $given === null
                ? 'STORK_PUBLISH_SERVER: ' . self::show($host) . ' is not a host (want a name or an address, no port)'
                : 'endpoint: ' . self::show($given) . ' is not an endpoint (want tcp://HOST:PORT)';
        }
        $apiKey = $options['api_key'] ?? ($isHttp ? self::environment('STORK_API_KEY') : '');
        if (!is_string($apiKey) || preg_match('~^[\x21-\x7e]*$~D', $apiKey) !== 1 || ($isHttp && $apiKey === '')) {
            $problems[] = 'api_key is missing, or has characters that no key has (STORK_API_KEY of the node)';
        } elseif (!$isHttp && $apiKey !== '') {
            $problems[] = 'api_key: the endpoint is not an address of the HTTP API (want https://HOST)';
        }
        $timeoutMs = $options['timeout_ms'] ?? 2000;
        if (!is_int($timeoutMs) || $timeoutMs < 1) {
            $problems[] = 'timeout_ms: ' . self::show($timeoutMs) . ' is not a time (want milliseconds, such as 2000)';
        }
        $transport = $options['transport'] ?? 'auto';
        if (!in_array($transport, self::TRANSPORTS, true)) {
            $problems[] = 'transport: ' . self::show($transport) . ' is not one of ' . implode(', ', self::TRANSPORTS);
        }
        $warn = $options['warn'] ?? null;
        if ($warn !== null && !is_callable($warn)) {
            $problems[] = 'warn: ' . self::show($warn) . ' cannot be called (want a function, such as error_log(...))';
        }
        $keys = $isHttp ? null : self::keys($options, $problems);
        if ($problems !== []) {
            throw new InvalidSettings($problems);
        }
        if ($transport === 'ext-zmq' && !extension_loaded('zmq')) {
            throw new MissingExtension('zmq', "transport is 'ext-zmq'; 'auto' and 'stream' work without it");
        }
        if ($isHttp && str_starts_with($endpoint, 'https:') && !extension_loaded('curl') && !extension_loaded('openssl')) {
            throw new MissingExtension('curl', 'the endpoint is https://… (the extension openssl does as well)');
        }
        $warn = $warn === null ? null : \Closure::fromCallable($warn);
        return new self($endpoint, $timeoutMs, $keys, $transport, $apiKey, $warn);
    }

    /**
     * @param array<string, mixed> $options
     * @param list<string> $problems added to
     */
    private static function keys(#[\SensitiveParameter] array $options, array &$problems): ?CurveKeys
    {
        $pushKey = $options['push_key'] ?? '';
        $given = array_key_exists('secret', $options) ? $options['secret'] ?? '' : null;
        if ($pushKey !== '') {
            $keys = is_string($pushKey) ? CurveKeys::fromPushKey($pushKey) : null;
            if ($keys === null) {
                $problems[] = 'push_key is not a push key (want the 80 characters that the publish server gives)';
            }
            if (($given ?? '') !== '') {
                $problems[] = 'secret and push_key are both set (want one)';
            }
            return $keys;
        }
        $secret = $given ?? self::environment('STORK_BUS_SECRET');
        if (!is_string($secret)) {
            $problems[] = 'secret is not a string';
            return null;
        }
        return $secret === '' ? null : CurveKeys::fromSecret($secret);
    }

    private static function environment(string $name): string
    {
        // Loaders of .env files fill these arrays, and often leave getenv() alone.
        $value = $_ENV[$name] ?? $_SERVER[$name] ?? getenv($name);
        return is_string($value) ? $value : '';
    }

    private static function show(mixed $value): string
    {
        return match (true) {
            is_string($value) => Excerpt::of($value),
            is_scalar($value) => var_export($value, true),
            default => get_debug_type($value),
        };
    }
}
