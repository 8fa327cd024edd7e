<?php

declare(strict_types=1);

namespace Stork\Pusher;

use Stork\InvalidPush;

/** The topic of a channel of Pusher's protocol, as the node maps it (docs/pusher.md#channels-and-topics). */
final class ChannelTopic
{
    private const PREFIXES = [
        'private-encrypted-cache-', 'private-encrypted-', 'private-cache-', 'presence-cache-', 'cache-', 'private-', 'presence-',
    ];
    private const USER = '#server-to-user-';
    private const MAX_BYTES = 255;

    /**
     * `private-App.Models.User.1` is `pusher.private-App.Models~2eUser~2e1`.
     *
     * @param string $version that of the app
     *
     * @throws InvalidPush no channel has this name
     */
    public static function of(string $channel, string $version = 'pusher'): string
    {
        $isUser = str_starts_with($channel, self::USER);
        $allowed = $isUser ? '/^.{17,}$/Dsu' : '/^[-A-Za-z0-9_=@,.;]{1,200}$/D';
        if (preg_match($allowed, $channel) !== 1) {
            throw new InvalidPush("'{$channel}' is not a channel: it has 1 to 200 letters, digits and -_=@,.;");
        }
        $topic = $version . '.' . ($isUser ? '~user.' . self::escape(substr($channel, strlen(self::USER))) : self::rest($channel));
        if (strlen($topic) > self::MAX_BYTES) {
            throw new InvalidPush("the topic of the channel '{$channel}' would have more than 255 characters");
        }
        return $topic;
    }

    private static function rest(string $channel): string
    {
        $prefix = '';
        foreach (self::PREFIXES as $each) {
            if (str_starts_with($channel, $each)) {
                $prefix = $each;
                break;
            }
        }
        $rest = substr($channel, strlen($prefix));
        [$head, $tail] = explode('.', $rest, 2) + [1 => ''];
        if ($head !== '' && $tail !== '') {
            return $prefix . self::escape($head) . '.' . self::escape($tail);
        }
        return $prefix . '~.' . ($rest === '' ? '~' : self::escape($rest));
    }

    private static function escape(string $text): string
    {
        return preg_replace_callback(
            '/[^A-Za-z0-9_@-]/',
            fn (array $found): string => sprintf('~%02x', ord($found[0])),
            $text,
        );
    }
}
