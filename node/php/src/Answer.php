<?php

declare(strict_types=1);

namespace Stork;

/** One answer of the publish server; cast to a string it is the position. */
final class Answer implements \Stringable
{
    /**
     * @param ?string $id the push it answers; null for a position, and for a refused push whose id could not be read
     * @param ?string $position `<epoch>:<sequence>` where it is ok
     * @param bool $duplicate the id was seen before: `$position` is the first one, nothing was delivered again
     * @param ?string $error `invalid_push`, `id_reused` or `storage_failed` where it is not ok
     * @param ?string $reason the server's sentence where it is not ok
     * @param ?bool $complete of a command: whether every node has obeyed or is gone; null for a push
     * @param array<string, array<string, int>|string> $nodes of a command, by node: what it met there, such as
     *     `['sessions' => 2]`, or `gone`, `pending`, `old`
     * @param ?array<string, array<string, int>|string> $receipt of a push with a receipt, by node: how many sessions got
     *     it (`sent`), have bytes waiting (`slow`), were `cut`, were `excluded`; or `gone`, `pending`, `old`
     * @param ?string $warning of a push: why nobody can get it, though it is stored; null where there is nothing to say
     */
    private function __construct(
        public readonly ?string $id,
        public readonly ?string $position,
        public readonly bool $duplicate,
        public readonly ?string $error,
        public readonly ?string $reason,
        public readonly ?bool $complete = null,
        public readonly array $nodes = [],
        public readonly ?array $receipt = null,
        public readonly ?string $warning = null,
    ) {
    }

    // docs/delivery.md#position; sequences stay below 2^53.
    private const POSITION = '/^[0-9A-Za-z_-]{1,64}:(0|[1-9][0-9]{0,15})$/D';
    private const MAX_SEQUENCE = 2 ** 53 - 1;

    /** @throws ConnectionFailed the bytes are no answer: whoever sent them is no publish server */
    public static function decode(string $bytes): self
    {
        $fields = json_decode($bytes, true, 16);
        $ok = $fields['ok'] ?? null;
        $id = $fields['id'] ?? null;
        $duplicate = $fields['duplicate'] ?? false;
        $reason = $fields['reason'] ?? '';
        $warning = $fields['warning'] ?? null;
        $isText = is_string($reason) && ($warning === null || is_string($warning));
        if (is_bool($ok) && ($id === null || is_string($id)) && is_bool($duplicate) && $isText) {
            $text = $fields[$ok ? 'position' : 'error'] ?? null;
            if ($ok && self::isPosition($text)) {
                $nodes = $fields['nodes'] ?? [];
                $complete = is_bool($fields['complete'] ?? null) && is_array($nodes) ? $fields['complete'] : null;
                $nodes = $complete === null ? [] : $nodes;
                $receipt = is_array($fields['receipt'] ?? null) ? $fields['receipt'] : null;
                return new self($id, $text, $duplicate, null, null, $complete, $nodes, $receipt, $warning);
            }
            if (!$ok && is_string($text) && $text !== '') {
                return new self($id, null, false, $text, $reason);
            }
        }
        throw new ConnectionFailed('it answered with what is no answer: ' . Excerpt::of($bytes));
    }

    /** The answer to a question for the position, which is `<epoch>:<sequence>`. */
    public static function position(string $position): self
    {
        return new self(null, $position, false, null, null);
    }

    private static function isPosition(mixed $text): bool
    {
        return is_string($text) && preg_match(self::POSITION, $text, $parts) === 1
            && (int) $parts[1] <= self::MAX_SEQUENCE;
    }

    public function isOk(): bool
    {
        return $this->error === null;
    }

    public function __toString(): string
    {
        return (string) $this->position;
    }
}
