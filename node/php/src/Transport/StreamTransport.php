<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\Clock;
use Stork\ConnectionFailed;
use Stork\CurveKeys;
use Stork\Zmtp\CurveMechanism;
use Stork\Zmtp\NullMechanism;
use Stork\Zmtp\Session;

/**
 * ZMTP over PHP's own streams: needs no extension.
 *
 * @internal
 */
final class StreamTransport implements Transport
{
    public function __construct(private string $endpoint, private ?CurveKeys $keys)
    {
    }

    public function connect(float $until): Connection
    {
        // Without TCP_NODELAY each handshake stalled for 32 ms (measured: Nagle against delayed ACK).
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true]]);
        $timeout = max(0.001, $until - Clock::now());
        // Connecting waits here, as only so all addresses of a name are tried; the handshake does not.
        [$stream, $warning] = Quietly::call(function () use ($timeout, $context, &$code, &$error) {
            return stream_socket_client($this->endpoint, $code, $error, $timeout, STREAM_CLIENT_CONNECT, $context);
        });
        if ($stream === false) {
            throw new ConnectionFailed($error !== '' ? lcfirst($error) : $warning);
        }
        stream_set_blocking($stream, false);
        $mechanism = $this->keys === null ? new NullMechanism() : new CurveMechanism($this->keys);
        return new StreamConnection($stream, new Session($mechanism));
    }

    public function wait(array $connections, float $until): void
    {
        $read = $write = [];
        foreach ($connections as $connection) {
            assert($connection instanceof StreamConnection);
            if (!$connection->flush()) {
                $write[] = $connection->stream;
            }
            $read[] = $connection->stream;
        }
        Select::wait($read, $write, $until);
    }
}
