<?php

declare(strict_types=1);

namespace Stork\Transport;

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
        // Connecting waits here, as only so all addresses of a name are tried; the handshake does not.
        $stream = Tcp::connect($this->endpoint, $until);
        stream_set_blocking($stream, false);
        $mechanism = $this->keys === null ? new NullMechanism() : new CurveMechanism($this->keys);
        return new StreamConnection($stream, new Session($mechanism));
    }

    public function probe(float $until): void
    {
    }

    public function tryHandshake(float $until): ?Connection
    {
        return null;
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
