<?php

declare(strict_types=1);

namespace Stork\Http;

use Stork\ConnectionFailed;

/**
 * By PHP's curl: one connection is kept between requests.
 *
 * @internal
 */
final class CurlClient implements Client
{
    private ?\CurlHandle $handle = null;

    public function request(string $url, #[\SensitiveParameter] string $key, ?string $body, float $timeoutS): array
    {
        $this->handle ??= curl_init() ?: throw new ConnectionFailed('curl cannot be used');
        curl_reset($this->handle);
        $answer = '';
        $options = [
            CURLOPT_URL => $url,
            CURLOPT_HTTPHEADER => ["Authorization: Bearer {$key}", 'Content-Type: application/json', 'Expect:'],
            CURLOPT_TIMEOUT_MS => max(1, (int) ($timeoutS * 1000)),
            CURLOPT_NOSIGNAL => true,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_WRITEFUNCTION => static function (\CurlHandle $_, string $data) use (&$answer): int {
                $answer .= $data;
                return strlen($answer) > self::MAX_ANSWER_BYTES ? 0 : strlen($data);
            },
        ];
        if ($body !== null) {
            $options[CURLOPT_POSTFIELDS] = $body;
        }
        curl_setopt_array($this->handle, $options);
        if (curl_exec($this->handle) === false) {
            throw new ConnectionFailed(curl_error($this->handle));
        }
        return [(int) curl_getinfo($this->handle, CURLINFO_RESPONSE_CODE), $answer];
    }
}
