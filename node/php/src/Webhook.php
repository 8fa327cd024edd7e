<?php

declare(strict_types=1);

namespace Stork;

/** Requests of the publish server's webhooks. */
final class Webhook
{
    /** A signature that is older, or of a later time, is refused. */
    public const MOST_SECONDS_OFF = 300;

    /**
     * Whether a request is from your publish server. Answer 401, and do nothing else, if it is not.
     *
     * @param string $secret that of the webhook in config.json
     * @param string $signature the header `Stork-Signature`; empty where it is missing
     * @param string $body the bytes of the request, as they came: `file_get_contents('php://input')`
     * @param ?int $now seconds since 1970
     */
    public static function verify(
        #[\SensitiveParameter] string $secret,
        string $signature,
        string $body,
        ?int $now = null,
    ): bool {
        if ($secret === '' || preg_match('/^t=([0-9]{1,12})((?:,v1=[0-9a-f]{64})+)$/D', $signature, $found) !== 1) {
            return false;
        }
        if (abs(($now ?? time()) - (int) $found[1]) > self::MOST_SECONDS_OFF) {
            return false;
        }
        $expected = hash_hmac('sha256', "{$found[1]}.{$body}", $secret);
        $is_one = false;
        foreach (explode(',v1=', substr($found[2], strlen(',v1='))) as $each) {
            $is_one = hash_equals($expected, $each) || $is_one;
        }
        return $is_one;
    }
}
