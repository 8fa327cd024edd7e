<?php

declare(strict_types=1);

namespace Stork\Zmtp;

/**
 * ZMTP without security: one READY each way, frames as they are.
 *
 * @internal
 */
final class NullMechanism implements Mechanism
{
    /** @var ?array<string, string> */
    private ?array $peer = null;

    public function name(): string
    {
        return 'NULL';
    }

    public function start(): ?string
    {
        // Not before the peer's: libzmq cuts a peer whose socket type does not fit before it has said its own.
        return null;
    }

    public function handle(string $command): ?string
    {
        [$name, $data] = Frame::parseCommand($command);
        if ($name !== 'READY') {
            throw HandshakeError::of($command);
        }
        $this->peer = Metadata::decode($data);
        return Frame::command('READY', Metadata::ours());
    }

    public function peerMetadata(): ?array
    {
        return $this->peer;
    }

    public function seal(int $flags, string $body): string
    {
        return Frame::encode($flags, $body);
    }

    public function open(int $flags, string $body): array
    {
        return [$flags, $body];
    }
}
