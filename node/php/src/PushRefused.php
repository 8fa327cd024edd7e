<?php

declare(strict_types=1);

namespace Stork;

/** The publish server refused a push: it is not stored, and its id is free again. */
final class PushRefused extends StorkException
{
    /**
     * @param string $error `invalid_push` (it will never do) or `storage_failed` (it may do later)
     * @param string $reason the server's sentence
     * @param string $id the push's id
     * @param int $index which push of a pushMany(), from 0
     * @param array<int, Answer> $answers every answer of the same call, by index: accepted ones are delivered
     */
    public function __construct(
        public readonly string $error,
        public readonly string $reason,
        public readonly string $id,
        public readonly int $index = 0,
        public readonly array $answers = [],
    ) {
        parent::__construct("push refused ({$error}): {$reason}");
    }
}
