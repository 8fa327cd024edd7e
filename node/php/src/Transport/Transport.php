<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\ConnectionFailed;

/**
 * Connections of a DEALER to the publish server, and waiting on several of them at once.
 *
 * @internal
 */
interface Transport
{
    /**
     * Begins a connection; its handshake goes on in wait().
     *
     * @param float $until give up then, in seconds of Clock
     * @throws ConnectionFailed
     */
    public function connect(float $until): Connection;

    /**
     * Finds out whether anybody listens, where connect() does not say so.
     *
     * @param float $until give up then, in seconds of Clock
     * @throws ConnectionFailed
     */
    public function probe(float $until): void;

    /**
     * A connection made only to find out how far one gets, where those of connect() do not say so; otherwise null.
     * The caller closes it.
     *
     * @param float $until give up then, in seconds of Clock
     * @throws ConnectionFailed why none is possible
     */
    public function tryHandshake(float $until): ?Connection;

    /**
     * Writes what was offered, and returns when one of the connections may have something to take or room for more,
     * or at `$until`, or for no reason.
     *
     * @param array<Connection> $connections of this transport
     */
    public function wait(array $connections, float $until): void;
}
