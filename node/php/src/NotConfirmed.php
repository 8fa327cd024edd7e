<?php

declare(strict_types=1);

namespace Stork;

/**
 * The publish server did not confirm in time. The push may or may not be stored: push it again with the
 * same id (`$ids`) within 5 minutes, and it is delivered once.
 */
final class NotConfirmed extends StorkException
{
    /**
     * @param string $endpoint where the publish server should be
     * @param int $timeoutMs how long was tried, in milliseconds
     * @param string $cause what went wrong last
     * @param array<int, string> $ids ids of the pushes without an answer, by index in the call
     * @param array<int, Answer> $answers the answers that did come, by index
     */
    public function __construct(
        public readonly string $endpoint,
        public readonly int $timeoutMs,
        public readonly string $cause,
        public readonly array $ids = [],
        public readonly array $answers = [],
    ) {
        $total = count($ids) + count($answers);
        $what = $total > 1 ? sprintf(' (%d of %d pushes)', count($ids), $total) : '';
        parent::__construct("not confirmed by {$endpoint} within {$timeoutMs} ms{$what}: {$cause}");
    }
}
