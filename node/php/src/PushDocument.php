<?php

declare(strict_types=1);

namespace Stork;

/**
 * One push as it travels: an id and a JSON text of at most 1 MiB (docs/delivery.md#push-document).
 *
 * Only what makes no sense to send is checked here; what a push may hold is decided by the publish server alone.
 *
 * @internal
 */
final class PushDocument
{
    public const MAX_BYTES = 1 << 20;
    public const MAX_DELIVERED_BYTES = 64 << 20;

    private const FLAGS = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
        | JSON_PRESERVE_ZERO_FRACTION;
    private const OPTIONS = ['id', 'exclude', 'store', 'receipt', 'timestamp'];
    // How long the answer to a push with a receipt may wait for nodes.
    private const RECEIPT_MS = 5000;

    /** @param int $waitMs how long its answer may wait for nodes, beside the time-out */
    private function __construct(
        public readonly string $id,
        public readonly string $json,
        public readonly int $waitMs,
    ) {
    }

    /**
     * @param array<string>|string $topics
     * @param array{id?: string, exclude?: list<int>, store?: bool, receipt?: bool,
     *     timestamp?: \DateTimeInterface|string} $options
     *
     * @throws InvalidPush
     */
    public static function encode(array|string $topics, Message $message, array $options = []): self
    {
        foreach (array_diff_key($options, array_flip(self::OPTIONS)) as $name => $_) {
            $known = implode(', ', self::OPTIONS);
            throw new InvalidPush("'{$name}' is not an option of a push (those are {$known})");
        }
        $type = $message->getType();
        if (!is_string($type) || $type === '') {
            throw new InvalidPush($message::class . ' has no type: give it a constant TYPE');
        }
        $id = $options['id'] ?? bin2hex(random_bytes(16));
        if (!is_string($id) || $id === '') {
            throw new InvalidPush('the option id is not a non-empty string');
        }
        $topics = self::topics($topics);
        $data = $message instanceof JsonMessage
            ? $message->json
            : self::json('data of ' . $message::class, $message->getData());
        self::checkDelivered($topics, strlen(trim($data, " \t\n\r")));
        $json = self::object([
            'topics' => self::json('topics', $topics),
            'type' => self::json('type', $type),
            'data' => $data,
            'timestamp' => self::timestamp($options['timestamp'] ?? $message->getTimestamp()),
            'id' => self::json('id', $id),
            'exclude' => isset($options['exclude']) ? self::exclude($options['exclude']) : null,
            'store' => isset($options['store']) ? self::json('store', (bool) $options['store']) : null,
            'receipt' => ($options['receipt'] ?? false) ? 'true' : null,
        ]);
        if (strlen($json) > self::MAX_BYTES) {
            $size = sprintf('%d bytes as JSON; at most %d (1 MiB)', strlen($json), self::MAX_BYTES);
            throw new InvalidPush("the push has {$size} can be sent");
        }
        return new self($id, $json, ($options['receipt'] ?? false) ? self::RECEIPT_MS : 0);
    }

    /** @return list<string> */
    private static function topics(array|string $topics): array
    {
        $topics = array_values((array) $topics);
        if ($topics === []) {
            throw new InvalidPush('no topics: name at least one, such as v1.orders.42');
        }
        foreach ($topics as $index => $topic) {
            if (!is_string($topic) || $topic === '') {
                throw new InvalidPush("topics[{$index}] is not a non-empty string, such as v1.orders.42");
            }
        }
        return $topics;
    }

    /** @param list<string> $topics */
    private static function checkDelivered(array $topics, int $bytes): void
    {
        $number = count(array_unique($topics));
        if ($number * $bytes > self::MAX_DELIVERED_BYTES) {
            throw new InvalidPush(sprintf(
                'topics: %s times %s bytes of data, at most %s bytes are allowed',
                number_format($number),
                number_format($bytes),
                number_format(self::MAX_DELIVERED_BYTES),
            ));
        }
    }

    private static function exclude(mixed $sessions): string
    {
        if (!is_array($sessions) || array_filter($sessions, 'is_int') !== $sessions) {
            throw new InvalidPush('the option exclude is not a list of session ids (integers)');
        }
        return self::json('exclude', array_values($sessions));
    }

    private static function timestamp(mixed $timestamp): ?string
    {
        if ($timestamp instanceof \DateTimeInterface) {
            $utc = \DateTimeImmutable::createFromInterface($timestamp)->setTimezone(new \DateTimeZone('UTC'));
            $timestamp = $utc->format('Y-m-d\TH:i:s.v\Z');
        }
        return $timestamp === null ? null : self::json('timestamp', $timestamp);
    }

    /** @param array<string, ?string> $members JSON by name; those that are null are left out */
    private static function object(array $members): string
    {
        $pairs = [];
        foreach (array_filter($members, 'is_string') as $name => $json) {
            $pairs[] = "\"{$name}\":{$json}";
        }
        return '{' . implode(',', $pairs) . '}';
    }

    private static function json(string $what, mixed $value): string
    {
        // An old php.ini may say 17, which writes 0.1 as 0.10000000000000001.
        $precision = ini_set('serialize_precision', '-1');
        try {
            return json_encode($value, self::FLAGS);
        } catch (\JsonException $error) {
            throw new InvalidPush("{$what} cannot be JSON: {$error->getMessage()}", 0, $error);
        } finally {
            if ($precision !== false) {
                ini_set('serialize_precision', $precision);
            }
        }
    }
}
