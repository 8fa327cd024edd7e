<?php

declare(strict_types=1);

namespace Stork;

/** The publish server refused a push: it is not stored, and its id is free again. */
final class PushRefused extends StorkException
{
    /** `invalid_push` or `id_reused` (it will never do), or `storage_failed` (it may do later). */
    public readonly string $error;
    /** The server's sentence. */
    public readonly string $reason;

    /**
     * @param string $id the push's id
     * @param int $index which push of a pushMany(), from 0
     * @param array<int, Answer> $answers every answer of the same call, by index: accepted ones are delivered
     */
    public function __construct(
        Answer $answer,
        public readonly string $id,
        public readonly int $index = 0,
        public readonly array $answers = [],
    ) {
        $this->error = (string) $answer->error;
        $this->reason = (string) $answer->reason;
        parent::__construct("push refused ({$this->error}): {$this->reason}");
    }
}
