<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\Clock;
use Stork\ConnectionFailed;

/**
 * TCP connections by PHP's own streams.
 *
 * @internal
 */
final class Tcp
{
    /**
     * @param float $until give up then, in seconds of Clock
     * @return resource a blocking stream
     *
     * @throws ConnectionFailed
     */
    public static function connect(string $endpoint, float $until)
    {
        // Without TCP_NODELAY each handshake stalled for 32 ms (measured: Nagle against delayed ACK).
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true]]);
        $timeout = max(0.001, $until - Clock::now());
        [$stream, $warning] = Quietly::call(function () use ($endpoint, $timeout, $context, &$code, &$error) {
            return stream_socket_client($endpoint, $code, $error, $timeout, STREAM_CLIENT_CONNECT, $context);
        });
        if ($stream === false) {
            $why = $error !== '' ? lcfirst($error) : $warning;
            throw new ConnectionFailed("nobody answers at {$endpoint} (is the publish server running there?): {$why}");
        }
        return $stream;
    }
}
