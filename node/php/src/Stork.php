<?php

declare(strict_types=1);

namespace Stork;

/**
 * The one publisher of an application, for those who do not pass objects around:
 *
 *     Stork::configure(['endpoint' => 'tcp://publish:5557']);      // or by the environment: STORK_PUBLISH_SERVER
 *     Stork::push(['v1.orders.42'], new OrderPaid($order));
 */
final class Stork
{
    private static ?Publisher $publisher = null;
    private static ?\Closure $make = null;

    /**
     * Sets it up, in place of the environment alone.
     *
     * @param array<string, mixed> $settings see Settings::from()
     *
     * @throws InvalidSettings|MissingExtension
     */
    public static function configure(#[\SensitiveParameter] array $settings): void
    {
        self::$publisher = new Publisher($settings);
    }

    /**
     * Sets it up with a publisher that is made at its first use.
     *
     * @param \Closure(): Publisher $make
     */
    public static function use(\Closure $make): void
    {
        [self::$publisher, self::$make] = [null, $make];
    }

    /**
     * @param array<string>|string $topics
     * @param array{id?: string, exclude?: list<int>, store?: bool, timestamp?: \DateTimeInterface|string} $options
     * @return string its position
     *
     * @throws InvalidPush|PushRefused|NotConfirmed see Publisher::push()
     */
    public static function push(array|string $topics, Message $message, array $options = []): string
    {
        return self::publisher()->push($topics, $message, $options);
    }

    /**
     * @param iterable<array{0: array<string>|string, 1: Message, 2?: array<string, mixed>}> $pushes
     * @return list<Answer>
     *
     * @throws InvalidPush|PushRefused|NotConfirmed see Publisher::pushMany()
     */
    public static function pushMany(iterable $pushes): array
    {
        return self::publisher()->pushMany($pushes);
    }

    /**
     * @param array<string>|string $topics
     * @param array{id?: string, exclude?: list<int>, store?: bool, timestamp?: \DateTimeInterface|string} $options
     *
     * @throws InvalidPush|NotConfirmed see Publisher::send()
     */
    public static function send(array|string $topics, Message $message, array $options = []): void
    {
        self::publisher()->send($topics, $message, $options);
    }

    /**
     * Any text as the id of a feed.
     *
     * @throws InvalidPush see FeedId::of()
     */
    public static function feedId(string $text): string
    {
        return FeedId::of($text);
    }

    /**
     * @param array{authid?: string, session?: int, role?: string, topic?: string, feed?: string, reason?: string,
     *     timeout_ms?: int, id?: string} $options
     *
     * @throws InvalidCommand|PushRefused|NotConfirmed see Publisher::command()
     */
    public static function command(string $command, array $options): Answer
    {
        return self::publisher()->command($command, $options);
    }

    /**
     * Ends all sessions of a user, on every node.
     *
     * @param int|string|object $user an authid, or a user of Laravel
     * @throws InvalidCommand|PushRefused|NotConfirmed see Publisher::command()
     */
    public static function disconnect(int|string|object $user, string $reason = ''): Answer
    {
        $authid = (string) (is_object($user) ? $user->getAuthIdentifier() : $user);
        return self::command('disconnect', ['authid' => $authid] + ($reason === '' ? [] : ['reason' => $reason]));
    }

    /** @throws NotConfirmed see Publisher::position() */
    public static function position(): string
    {
        return self::publisher()->position();
    }

    /** The publisher behind these. */
    public static function publisher(): Publisher
    {
        return self::$publisher ??= self::$make === null ? new Publisher() : (self::$make)();
    }
}
