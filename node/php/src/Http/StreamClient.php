<?php

declare(strict_types=1);

namespace Stork\Http;

use Stork\ConnectionFailed;
use Stork\Transport\Quietly;

/**
 * By PHP's streams, where curl is not loaded: each request has a connection of its own.
 *
 * @internal
 */
final class StreamClient implements Client
{
    public function request(string $url, #[\SensitiveParameter] string $key, ?string $body, float $timeoutS): array
    {
        $http = [
            'method' => $body === null ? 'GET' : 'POST',
            'header' => ["Authorization: Bearer {$key}", 'Content-Type: application/json', 'Connection: close'],
            'protocol_version' => 1.1,
            'timeout' => $timeoutS,
            'follow_location' => 0,
            'ignore_errors' => true,
        ];
        if ($body !== null) {
            $http['content'] = $body;
        }
        $context = stream_context_create(['http' => $http]);
        [[$answer, $head], $warning] = Quietly::call(static function () use ($url, $context): array {
            $stream = fopen($url, 'r', false, $context);
            if ($stream === false) {
                return [false, []];
            }
            $head = stream_get_meta_data($stream)['wrapper_data'] ?? [];
            $answer = stream_get_contents($stream, self::MAX_ANSWER_BYTES + 1);
            $isCut = stream_get_meta_data($stream)['timed_out'];
            fclose($stream);
            return [$isCut ? false : $answer, $head];
        });
        if (!is_string($answer) || !preg_match('~^HTTP/\d\.\d (\d{3})~', (string) ($head[0] ?? ''), $parts)) {
            throw new ConnectionFailed(self::cause($warning));
        }
        return [(int) $parts[1], $answer];
    }

    private static function cause(string $warning): string
    {
        return $warning === '' ? 'no whole answer in time' : (string) preg_replace('~^fopen\([^)]*\): ~', '', $warning);
    }
}
