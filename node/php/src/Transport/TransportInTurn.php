<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\ConnectionFailed;

/**
 * Several publish servers that share a log: after one that fails or stays silent, the next one is connected to.
 *
 * @internal
 */
final class TransportInTurn implements Transport
{
    private int $current = 0;
    private bool $isUsed = false;

    /** @param non-empty-list<Transport> $transports of one class */
    public function __construct(private array $transports)
    {
    }

    public function connect(float $until): Connection
    {
        if ($this->isUsed) {
            $this->goOn();
        }
        try {
            $connection = $this->transports[$this->current]->connect($until);
        } catch (ConnectionFailed $failure) {
            $this->goOn();
            throw $failure;
        }
        $this->isUsed = true;
        return $connection;
    }

    public function probe(float $until): void
    {
        foreach ($this->transports as $_) {
            try {
                $this->transports[$this->current]->probe($until);
                return;
            } catch (ConnectionFailed $failure) {
                $this->goOn();
            }
        }
        throw $failure;
    }

    public function tryHandshake(float $until): ?Connection
    {
        return $this->transports[$this->current]->tryHandshake($until);
    }

    public function wait(array $connections, float $until): void
    {
        $this->transports[$this->current]->wait($connections, $until);
    }

    private function goOn(): void
    {
        $this->current = ($this->current + 1) % count($this->transports);
        $this->isUsed = false;
    }
}
