<?php

declare(strict_types=1);

namespace Stork;

use Stork\Transport\Connection;
use Stork\Transport\Transport;

/**
 * Sends documents until each is answered or the time is over: connects, sends, and sends again what has no answer.
 *
 * A connection that stays silent is not given up but joined by another one: its answers count as long as this lasts,
 * and the ids see to it that nothing is delivered twice.
 *
 * @internal
 */
final class Exchange
{
    // A ROUTER drops answers at its high-water mark (1,000 by default), silently: zmq_socket(3).
    private const MAX_OUTSTANDING = 500;
    private const SENDINGS = 3;
    private const SHORTEST_PAUSE_S = 0.01;
    private const LONGEST_PAUSE_S = 0.25;
    private const HURRIED_CONNECT_S = 0.1;

    /** @var array<string, Answer> by id */
    public array $answers = [];
    /** What went wrong last. */
    public string $cause = '';

    /** The last of it that was more than silence. */
    private string $failure = '';
    /** @var list<Link> those that stayed silent, and may still answer */
    private array $silent = [];
    /** @var list<string> ids to send on the link, in order */
    private array $queue = [];
    private int $next = 0;
    /** @var array<string, true> ids sent on the link and not answered */
    private array $outstanding = [];
    /** @var array<string, int> by id */
    private array $sendings = [];
    private float $patience;
    private float $deadline;
    private float $silentAt = 0.0;
    private float $connectAt = 0.0;
    private float $pause = 0.0;

    /**
     * @param ?Link $link a connection from before; after run() the one to keep
     * @param array<string, string> $documents JSON by id, in the order to send them; '' for a question without an id
     * @param bool $answered whether to wait for answers, or only until all has left this process
     * @param bool $hurried whether to give up at once where nobody listens
     */
    public function __construct(
        private Transport $transport,
        public ?Link $link,
        private array $documents,
        private bool $answered,
        int $timeoutMs,
        private bool $hurried = false,
    ) {
        $this->deadline = Clock::now() + $timeoutMs / 1000;
        $this->patience = $timeoutMs / 1000 / self::SENDINGS;
        if ($link !== null) {
            $this->begin($link);
        }
    }

    /** Whether it got that far in time; if not, `$cause` says why. */
    public function run(): bool
    {
        while (true) {
            $this->take();
            $this->connect();
            $this->offer();
            if ($this->answered ? count($this->answers) === count($this->documents) : $this->hasLeft()) {
                break;
            }
            if (Clock::now() >= $this->deadline) {
                $this->cause = $this->cause ?: 'no ' . ($this->link?->connection->awaited() ?? 'connection');
                $this->link?->connection->close();
                $this->link = null;
                break;
            }
            $this->transport->wait(
                array_map(static fn (Link $link): Connection => $link->connection, $this->links()),
                min($this->deadline, $this->link === null ? $this->connectAt : $this->silentAt),
            );
        }
        foreach ($this->silent as $link) {
            $link->connection->close();
        }
        return $this->link !== null;
    }

    /** @return list<Link> */
    private function links(): array
    {
        return $this->link === null ? $this->silent : [...$this->silent, $this->link];
    }

    private function connect(): void
    {
        $now = Clock::now();
        if ($this->link !== null && $now >= $this->silentAt) {
            $this->cause = $this->causeOfSilence($this->link->connection);
            $this->silent[] = $this->link;
            $this->link = null;
        }
        if ($this->link === null && $now >= $this->connectAt && $now < $this->deadline) {
            $until = min($this->deadline, $now + ($this->hurried ? self::HURRIED_CONNECT_S : $this->patience));
            try {
                if ($this->hurried) {
                    $this->transport->probe($until);
                }
                $this->begin(new Link($this->transport->connect($until)));
            } catch (ConnectionFailed $failure) {
                $this->lost($failure);
                $this->deadline = $this->hurried ? $now : $this->deadline;
            }
        }
    }

    private function causeOfSilence(Connection $silent): string
    {
        try {
            $tried = $this->transport->tryHandshake(min($this->deadline, Clock::now() + $this->patience));
        } catch (ConnectionFailed $failure) {
            return $this->failure = $failure->getMessage();
        }
        $silence = sprintf('no %s within %d ms', ($tried ?? $silent)->awaited(), round($this->patience * 1000));
        $tried?->close();
        return $this->failure === '' ? $silence : "{$silence}, and before that: {$this->failure}";
    }

    private function begin(Link $link): void
    {
        $this->link = $link;
        $this->queue = array_map('strval', array_keys(array_diff_key($this->documents, $this->answers)));
        $this->next = 0;
        $this->outstanding = [];
        $this->silentAt = Clock::now() + $this->patience;
    }

    private function lost(ConnectionFailed $failure): void
    {
        $this->cause = $this->failure = $failure->getMessage();
        $this->link = null;
        // Jittered, as every worker of a web server lost it at the same time.
        $this->connectAt = Clock::now() + $this->pause * random_int(50, 100) / 100;
        $this->pause = min(self::LONGEST_PAUSE_S, max(self::SHORTEST_PAUSE_S, 2 * $this->pause));
    }

    private function offer(): void
    {
        while ($this->link !== null && count($this->outstanding) < self::MAX_OUTSTANDING) {
            $id = $this->queue[$this->next] ?? null;
            if ($id === null) {
                return;
            }
            if (!isset($this->answers[$id])) {
                if (!$this->link->offer($id, $this->documents[$id], !$this->answered)) {
                    return;
                }
                $this->outstanding[$id] = true;
                $this->sendings[$id] = ($this->sendings[$id] ?? 0) + 1;
            }
            $this->next++;
        }
    }

    private function hasLeft(): bool
    {
        return $this->link !== null && $this->next === count($this->queue) && $this->link->connection->flush();
    }

    private function take(): void
    {
        foreach ($this->links() as $link) {
            try {
                foreach ($link->take() as [$id, $answer]) {
                    $this->settle($id, $answer);
                }
            } catch (ConnectionFailed $failure) {
                $link->connection->close();
                if ($link === $this->link) {
                    $this->lost($failure);
                }
                $this->silent = array_values(array_filter($this->silent, static fn (Link $other) => $other !== $link));
            }
        }
    }

    private function settle(string $id, Answer $answer): void
    {
        if (!isset($this->documents[$id]) || isset($this->answers[$id])) {
            return; // late, of an earlier call, or said twice
        }
        if (!$answer->isOk() && !in_array($answer->error, ['invalid_push', 'id_reused'], true) && $this->sendings[$id] > 1) {
            // Sent more than once, so that another copy of it may have been stored: this refusal decides nothing.
            $this->cause = $this->failure = "{$answer->error}: {$answer->reason}";
            return;
        }
        $this->answers[$id] = $answer;
        unset($this->outstanding[$id]);
        $this->silentAt = Clock::now() + $this->patience;
    }
}
