<?php

declare(strict_types=1);

namespace Stork;

/** Any text as the id of a feed, the same in Python (`feed_id`) and JavaScript (`feedId`). */
final class FeedId
{
    /**
     * A character that a topic cannot hold becomes `~` and two hexadecimal digits for each byte of its UTF-8:
     * `ann.lee@example.com` becomes `ann~2Elee@example~2Ecom`. No two texts have the same id.
     *
     * @throws InvalidPush The text is empty, or is not UTF-8.
     */
    public static function of(string $text): string
    {
        if ($text === '') {
            throw new InvalidPush('the id of a feed has at least one character');
        }
        if (preg_match('//u', $text) !== 1) {
            throw new InvalidPush('the id of a feed is made of UTF-8');
        }
        return preg_replace_callback(
            '/[^A-Za-z0-9_\-:@]/',
            fn (array $found): string => sprintf('~%02X', ord($found[0])),
            $text,
        );
    }
}
