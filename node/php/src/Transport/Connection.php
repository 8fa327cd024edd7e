<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\ConnectionFailed;

/**
 * One connection of a Transport; nothing here waits.
 *
 * @internal
 */
interface Connection
{
    /** Takes a message to send, or returns false while there is no room for it, or no connection yet. */
    public function offer(string $message): bool;

    /** Writes what there is room for; true when all that was offered has left this process. */
    public function flush(): bool;

    /**
     * @return list<string> the messages that have come since
     * @throws ConnectionFailed it is cut, or the peer sent nonsense; messages before that are returned first
     */
    public function take(): array;

    /** What is missing now, such as "answer" or "connection". */
    public function awaited(): string;

    /** Ends it at once; what was not answered may be lost. */
    public function close(): void;
}
