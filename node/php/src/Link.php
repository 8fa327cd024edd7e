<?php

declare(strict_types=1);

namespace Stork;

use Stork\Transport\Connection;
use Stork\Transport\Transport;

/**
 * A connection, and which documents are out on it without an answer.
 *
 * @internal
 */
final class Link
{
    // A publish server that answers nothing must not make a long-running sender grow.
    private const MAX_WAITING = 10_000;

    /** @var array<string, bool> ids in the order sent, and whether close() waits; '' for a question without an id */
    private array $waiting = [];

    public function __construct(public readonly Connection $connection)
    {
    }

    /**
     * Takes a document to send, or returns false while there is no room for it.
     *
     * @param bool $forgotten whether the caller does not wait for the answer, so that close() has to
     */
    public function offer(string $id, string $json, bool $forgotten): bool
    {
        if (!$this->connection->offer($json)) {
            return false;
        }
        $this->waiting[$id] = $forgotten;
        if (count($this->waiting) > self::MAX_WAITING) {
            unset($this->waiting[array_key_first($this->waiting)]);
        }
        return true;
    }

    /**
     * The answers that have come, by the id of the document that each is for.
     *
     * @return list<array{string, Answer}>
     * @throws ConnectionFailed
     */
    public function take(): array
    {
        $answers = [];
        foreach ($this->connection->take() as $message) {
            $answer = Answer::decode($message);
            // A document that could not be read is refused without its id; answers come in the order of the documents.
            $id = $answer->id ?? ($answer->isOk() ? '' : (string) array_key_first($this->waiting));
            unset($this->waiting[$id]);
            $answers[] = [$id, $answer];
        }
        return $answers;
    }

    /**
     * Ends the connection, when what was sent and forgotten on it is answered, or at `$until`.
     *
     * Closing with unread answers would make the kernel send RST, and that can undo what the server has not read yet.
     */
    public function close(Transport $transport, float $until): void
    {
        try {
            for ($this->take(); in_array(true, $this->waiting, true) && Clock::now() < $until; $this->take()) {
                $transport->wait([$this->connection], $until);
            }
        } catch (ConnectionFailed) {
            // It was ended by the other side.
        }
        $this->connection->close();
    }
}
