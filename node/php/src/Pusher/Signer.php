<?php

declare(strict_types=1);

namespace Stork\Pusher;

/** Signs what Pusher clients show to the node: subscriptions and sign-ins. */
final class Signer
{
    public function __construct(private string $key, #[\SensitiveParameter] private string $secret)
    {
    }

    /**
     * The answer to a client that asks for a channel.
     *
     * @param ?string $channelData JSON with `user_id`, for presence channels
     * @return array{auth: string, channel_data?: string}
     */
    public function channel(string $socketId, string $channel, ?string $channelData = null): array
    {
        $socketId = self::checked($socketId);
        if ($channelData === null) {
            return ['auth' => $this->sign("{$socketId}:{$channel}")];
        }
        return ['auth' => $this->sign("{$socketId}:{$channel}:{$channelData}"), 'channel_data' => $channelData];
    }

    /**
     * The answer to a client that signs in.
     *
     * @param string $userData JSON with `id`
     * @return array{auth: string, user_data: string}
     */
    public function user(string $socketId, string $userData): array
    {
        $socketId = self::checked($socketId);
        return ['auth' => $this->sign("{$socketId}::user::{$userData}"), 'user_data' => $userData];
    }

    // Any other text could make a signature for something else.
    private static function checked(string $socketId): string
    {
        return preg_match('/^\d+\.\d+$/D', $socketId) === 1
            ? $socketId
            : throw new \InvalidArgumentException('the id of a socket is two numbers, such as 123.456');
    }

    private function sign(string $text): string
    {
        return $this->key . ':' . hash_hmac('sha256', $text, $this->secret);
    }
}
