<?php

declare(strict_types=1);

namespace Stork;

/**
 * One command as it travels (docs/delivery.md#commands).
 *
 * Only what makes no sense to send is checked here; which options go together is decided by the publish server alone.
 *
 * @internal
 */
final class CommandDocument
{
    public const DEFAULT_TIMEOUT_MS = 5000;

    private const OPTIONS = ['authid', 'session', 'role', 'topic', 'feed', 'reason', 'timeout_ms', 'id'];

    private function __construct(
        public readonly string $id,
        public readonly string $json,
        public readonly int $timeoutMs,
    ) {
    }

    /**
     * @param array<string, mixed> $options
     *
     * @throws InvalidCommand
     */
    public static function encode(string $command, array $options): self
    {
        foreach (array_diff_key($options, array_flip(self::OPTIONS)) as $name => $_) {
            $known = implode(', ', self::OPTIONS);
            throw new InvalidCommand("'{$name}' is not an option of a command (those are {$known})");
        }
        $id = $options['id'] ?? bin2hex(random_bytes(16));
        if (!is_string($id) || $id === '') {
            throw new InvalidCommand('the option id is not a non-empty string');
        }
        $timeoutMs = $options['timeout_ms'] ?? self::DEFAULT_TIMEOUT_MS;
        if (!is_int($timeoutMs) || $timeoutMs < 0) {
            throw new InvalidCommand('the option timeout_ms is not a number of milliseconds, such as 5000');
        }
        $said = array_filter($options, static fn (mixed $value): bool => $value !== null);
        try {
            $json = json_encode(
                ['command' => $command, ...$said, 'id' => $id],
                JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE,
            );
        } catch (\JsonException $error) {
            throw new InvalidCommand("the command cannot be JSON: {$error->getMessage()}");
        }
        return new self($id, $json, $timeoutMs);
    }
}
