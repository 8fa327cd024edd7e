<?php

declare(strict_types=1);

namespace Stork\Http;

use Stork\Answer;
use Stork\Clock;
use Stork\ConnectionFailed;

/**
 * Sends documents over HTTP until each is answered or the time is over; what has no answer is sent again.
 *
 * @internal
 */
final class Exchange
{
    private const MAX_DOCUMENTS = 1000;
    private const MAX_BYTES = 8 << 20;
    private const SHORTEST_PAUSE_S = 0.01;
    private const LONGEST_PAUSE_S = 0.25;
    /** Statuses after which the same request may do better. */
    private const PASSING = [408, 425, 429, 500, 502, 503, 504];

    /** @var array<string, Answer> by id */
    public array $answers = [];
    /** What went wrong last. */
    public string $cause = '';
    private float $deadline;

    /**
     * @param string $url of the API, without a slash at its end
     * @param array<string, string> $documents JSON by id, in the order to send them
     * @param bool $hurried whether to give up at once where nobody listens
     */
    public function __construct(
        private Client $client,
        private string $url,
        #[\SensitiveParameter] private string $key,
        private array $documents,
        int $timeoutMs,
        private bool $hurried,
    ) {
        $this->deadline = Clock::now() + $timeoutMs / 1000;
    }

    /** Whether all were answered in time; if not, `$cause` says why. */
    public function push(): bool
    {
        $pause = self::SHORTEST_PAUSE_S;
        while (($open = array_diff_key($this->documents, $this->answers)) !== []) {
            $batch = self::first($open);
            $answer = $this->request('/push', '[' . implode(',', $batch) . ']');
            $before = count($this->answers);
            if ($answer !== null) {
                $this->take(array_map('strval', array_keys($batch)), ...$answer);
            }
            if (count($this->answers) > $before) {
                $pause = self::SHORTEST_PAUSE_S;
            } elseif (!$this->wait($answer, $pause)) {
                return false;
            } else {
                $pause = min(self::LONGEST_PAUSE_S, 2 * $pause);
            }
        }
        return true;
    }

    /** Whether the one command was answered in time; if not, `$cause` says why. */
    public function command(): bool
    {
        $id = (string) array_key_first($this->documents);
        $pause = self::SHORTEST_PAUSE_S;
        while (true) {
            $answer = $this->request('/command', $this->documents[$id]);
            if ($answer !== null) {
                [$status, $body] = $answer;
                $this->cause = self::cause($status, $body);
                if (!in_array($status, self::PASSING, true)) {
                    $this->settle([$id], $body);
                }
            }
            if (isset($this->answers[$id])) {
                return true;
            }
            if (!$this->wait($answer, $pause)) {
                return false;
            }
            $pause = min(self::LONGEST_PAUSE_S, 2 * $pause);
        }
    }

    /** The position of the newest push; null where `$cause` says why there is none. */
    public function position(): ?string
    {
        $pause = self::SHORTEST_PAUSE_S;
        while (true) {
            $answer = $this->request('/position', null);
            if ($answer !== null) {
                [$status, $body] = $answer;
                $fields = json_decode($body, true, 16);
                if ($status === 200 && is_string($fields['position'] ?? null)) {
                    return $fields['position'];
                }
                $this->cause = self::cause($status, $body);
            }
            if (!$this->wait($answer, $pause)) {
                return null;
            }
            $pause = min(self::LONGEST_PAUSE_S, 2 * $pause);
        }
    }

    /** @return ?array{int, string} */
    private function request(string $path, ?string $body): ?array
    {
        try {
            $left = max(0.001, $this->deadline - Clock::now());
            return $this->client->request($this->url . $path, $this->key, $body, $left);
        } catch (ConnectionFailed $failure) {
            $this->cause = $failure->getMessage();
            return null;
        }
    }

    /**
     * Whether to try again, after a pause.
     *
     * @param ?array{int, string} $answer
     */
    private function wait(?array $answer, float $pause): bool
    {
        $isPassing = $answer === null ? !$this->hurried : in_array($answer[0], [200, ...self::PASSING], true);
        if (!$isPassing || Clock::now() + $pause >= $this->deadline) {
            return false;
        }
        usleep((int) ($pause * 1e6 * random_int(50, 100) / 100));
        return true;
    }

    /** @param list<string> $ids of the documents that this answers */
    private function take(array $ids, int $status, string $body): void
    {
        if ($status !== 200) {
            $this->cause = self::cause($status, $body);
            if (!in_array($status, self::PASSING, true)) {
                $this->settle($ids, $body, false);
            }
            return;
        }
        $fields = json_decode($body, true, 16);
        $each = is_array($fields) ? $fields['answers'] ?? null : null;
        if (!is_array($each) || count($each) !== count($ids)) {
            $this->cause = 'it answered with what is no answer: status 200';
            return;
        }
        foreach (array_values($each) as $index => $one) {
            try {
                $answer = Answer::decode((string) json_encode($one));
            } catch (ConnectionFailed $failure) {
                $this->cause = $failure->getMessage();
                continue;
            }
            if ($answer->isOk() || !in_array($answer->error, ['not_confirmed', 'storage_failed', 'limit'], true)) {
                $this->answers[$ids[$index]] = $answer;
            } else {
                $this->cause = "{$answer->error}: {$answer->reason}";
            }
        }
    }

    /**
     * The whole request has this answer, and so has each document. An answer of a proxy decides nothing about them.
     *
     * @param list<string> $ids
     */
    private function settle(array $ids, string $body, bool $mayBeOk = true): void
    {
        try {
            $answer = Answer::decode($body);
        } catch (ConnectionFailed) {
            return;
        }
        foreach ($answer->isOk() && !$mayBeOk ? [] : $ids as $id) {
            $this->answers[$id] = $answer;
        }
    }

    private static function cause(int $status, string $body): string
    {
        $fields = json_decode($body, true, 16);
        $reason = is_array($fields) && is_string($fields['reason'] ?? null) ? ": {$fields['reason']}" : '';
        return "it answered with status {$status}{$reason}";
    }

    /**
     * @param array<string, string> $documents
     * @return array<string, string>
     */
    private static function first(array $documents): array
    {
        $batch = [];
        $bytes = 0;
        foreach ($documents as $id => $json) {
            $bytes += strlen($json) + 1;
            if ($batch !== [] && ($bytes > self::MAX_BYTES || count($batch) >= self::MAX_DOCUMENTS)) {
                break;
            }
            $batch[$id] = $json;
        }
        return $batch;
    }
}
