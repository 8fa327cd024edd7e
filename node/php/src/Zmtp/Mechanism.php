<?php

declare(strict_types=1);

namespace Stork\Zmtp;

use Stork\ConnectionFailed;

/**
 * A ZMTP security mechanism, the client's side: a handshake of commands, then a coding of frames.
 *
 * @internal
 */
interface Mechanism
{
    /** The name in the greeting: NULL or CURVE. */
    public function name(): string;

    /** The body of the first command, where it is ours. */
    public function start(): ?string;

    /**
     * One command of the peer's handshake.
     *
     * @return ?string the body of the command to answer with, if any
     * @throws ConnectionFailed
     */
    public function handle(string $command): ?string;

    /** @return ?array<string, string> the peer's metadata once the handshake is complete, names in lower case */
    public function peerMetadata(): ?array;

    /** The frame for one body, ready to be written; `$flags` are of Frame. */
    public function seal(int $flags, string $body): string;

    /**
     * @return array{int, string} the flags and the body that a frame carries
     * @throws ConnectionFailed
     */
    public function open(int $flags, string $body): array;
}
