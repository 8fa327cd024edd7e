<?php

declare(strict_types=1);

namespace Stork\Http;

use Stork\ConnectionFailed;

/**
 * Sends one request, and reads its answer.
 *
 * @internal
 */
interface Client
{
    /** More bytes than any answer to a request of this class has. */
    public const MAX_ANSWER_BYTES = 4 << 20;

    /**
     * @param ?string $body JSON to POST; null for GET
     * @param float $timeoutS for all of it
     * @return array{int, string} status and body
     *
     * @throws ConnectionFailed there is no whole answer
     */
    public function request(string $url, string $key, ?string $body, float $timeoutS): array;
}
