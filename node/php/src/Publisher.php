<?php

declare(strict_types=1);

namespace Stork;

use Stork\Transport\ExtZmqTransport;
use Stork\Transport\StreamTransport;
use Stork\Transport\Transport;
use Stork\Transport\TransportInTurn;

/**
 * Pushes to one publish server, over one connection that is kept between pushes.
 *
 *     $publisher = new Publisher(['endpoint' => 'tcp://publish:5557', 'timeout_ms' => 2000]);
 *     $position = $publisher->push('v1.orders.42', new OrderPaid($order));
 *
 * With an address of the HTTP API and its key in place of the endpoint, it pushes by HTTP:
 *
 *     new Publisher(['endpoint' => 'https://push.example.org', 'api_key' => '…']);
 *
 * A forked child gets a connection of its own. Options of a push: `id` (idempotency key; otherwise a random one),
 * `exclude` (session ids that do not get it), `store` (false: delivered at most once, kept nowhere), `receipt` (true:
 * pushMany()'s answer waits up to 5 s more, and says what each node has written), `timestamp` (DateTimeInterface or an
 * RFC 3339 string).
 */
final class Publisher
{
    /** After a failure, nobody waits for so long for a server that is not there. */
    private const REMEMBERED_S = 1.0;

    /** @var array<string, float> when a push to an endpoint failed last, in seconds of Clock */
    private static array $failedAt = [];

    private Settings $settings;
    private Warnings $warnings;
    private ?Transport $transport = null;
    private ?Link $link = null;
    private ?Http\Client $client = null;
    private int $pid = 0;

    /**
     * @param array<string, mixed> $settings see Settings::from()
     *
     * @throws InvalidSettings|MissingExtension
     */
    public function __construct(#[\SensitiveParameter] array $settings = [])
    {
        $this->settings = Settings::from($settings);
        $this->warnings = new Warnings($this->settings->warn);
    }

    /**
     * Pushes, and waits until it is stored; what has no answer is sent again, with the same id, while there is time.
     *
     * @param array<string>|string $topics one or up to 1,000, such as `v1.orders.42`
     * @param array{id?: string, exclude?: list<int>, store?: bool, receipt?: bool,
     *     timestamp?: \DateTimeInterface|string} $options
     * @return string its position, `<epoch>:<sequence>`
     *
     * @throws InvalidPush nothing was sent
     * @throws PushRefused it is not stored
     * @throws NotConfirmed it may be stored or not
     */
    public function push(array|string $topics, Message $message, array $options = []): string
    {
        return (string) $this->pushMany([[$topics, $message, $options]])[0];
    }

    /**
     * Pushes many, in this order and without waiting between them; the time-out is for all together.
     *
     * @param iterable<array{0: array<string>|string, 1: Message, 2?: array<string, mixed>}> $pushes as for push()
     * @return list<Answer> in the same order
     *
     * @throws InvalidPush nothing was sent
     * @throws PushRefused some are not stored; those with an answer that is ok are
     * @throws NotConfirmed some may be stored or not
     */
    public function pushMany(iterable $pushes): array
    {
        $documents = [];
        $waitMs = 0;
        foreach ($pushes as $push) {
            $document = PushDocument::encode(...$push);
            $waitMs = max($waitMs, $document->waitMs);
            if (isset($documents[$document->id])) {
                throw new InvalidPush("the id '{$document->id}' is used twice in one call");
            }
            $documents[$document->id] = $document->json;
        }
        array_walk($documents, $this->warnings->lookAt(...));
        [$answers, $cause] = $this->exchange($documents, true, $waitMs);
        $ids = array_map('strval', array_keys($documents));
        $byIndex = [];
        foreach ($ids as $index => $id) {
            if (isset($answers[$id])) {
                $byIndex[$index] = $answers[$id];
            }
        }
        if (count($byIndex) < count($ids)) {
            throw $this->notConfirmed($cause, array_diff_key($ids, $byIndex), $byIndex);
        }
        foreach ($byIndex as $index => $answer) {
            if (!$answer->isOk()) {
                throw new PushRefused($answer, $ids[$index], $index, $byIndex);
            }
            $this->warnings->answered($answer->warning);
        }
        return $byIndex;
    }

    /**
     * Pushes without waiting for an answer: returns when the push has left this process. It can be lost, and whether
     * it was refused is only in the server's log. Where nobody listens, it says so at once.
     *
     * @param array<string>|string $topics
     * @param array{id?: string, exclude?: list<int>, store?: bool, timestamp?: \DateTimeInterface|string} $options
     *
     * @throws InvalidPush nothing was sent
     * @throws NotConfirmed there was no publish server to send it to
     */
    public function send(array|string $topics, Message $message, array $options = []): void
    {
        $document = PushDocument::encode($topics, $message, $options);
        $this->warnings->lookAt($document->json);
        [, $cause] = $this->exchange([$document->id => $document->json], false);
        if ($cause !== null) {
            throw $this->notConfirmed($cause, [$document->id]);
        }
    }

    /**
     * Gives a command, and waits until the nodes have obeyed: `$publisher->command('disconnect', ['authid' => '7'])`.
     *
     * @param string $command `disconnect`, `unsubscribe`, `refresh` or `forget`
     * @param array{authid?: string, session?: int, role?: string, topic?: string, feed?: string, reason?: string,
     *     timeout_ms?: int, id?: string} $options whom it names (docs/delivery.md#commands); `timeout_ms` is how long the
     *     answer waits for nodes, 5,000 if not given
     * @return Answer with `complete`, and in `nodes` what it met on each node
     *
     * @throws InvalidCommand nothing was sent
     * @throws PushRefused it is not stored, and not obeyed
     * @throws NotConfirmed it may be obeyed or not
     */
    public function command(string $command, array $options): Answer
    {
        $document = CommandDocument::encode($command, $options);
        [$answers, $cause] = $this->exchange([$document->id => $document->json], true, $document->timeoutMs, '/command');
        $answer = $answers[$document->id] ?? throw $this->notConfirmed($cause, [$document->id]);
        if (!$answer->isOk()) {
            throw new PushRefused($answer, $document->id);
        }
        return $answer;
    }

    /**
     * The position of the newest push: take it, then load the state of a page, then let the page subscribe since it.
     *
     * @throws NotConfirmed
     */
    public function position(): string
    {
        [$answers, $cause] = $this->exchange(['' => '{"position":true}']);
        $answer = $answers[''] ?? null;
        return $answer?->position ?? throw $this->notConfirmed($cause ?? 'it gave no position');
    }

    /** Ends the connection, when what send() gave it has arrived or the time is over; the next push makes a new one. */
    public function close(): void
    {
        if ($this->pid === getmypid() && $this->link !== null && $this->transport !== null) {
            $this->link->close($this->transport, Clock::now() + $this->settings->timeoutMs / 1000);
        }
        $this->link = $this->transport = $this->client = null;
    }

    public function __destruct()
    {
        $this->close();
    }

    /**
     * @param array<string, string> $documents JSON by id
     * @param int $moreMs how long an answer may take beside the time-out
     * @param string $path of the HTTP API
     * @return array{array<string, Answer>, ?string} answers by id, and what went wrong where that is not all
     */
    private function exchange(
        array $documents,
        bool $answered = true,
        int $moreMs = 0,
        string $path = '/push',
    ): array {
        if ($this->pid !== getmypid()) {
            // A fork: the connection is the parent's, with its encryption, and libzmq's threads stayed there.
            $this->link = $this->transport = $this->client = null;
            $this->pid = getmypid();
        }
        $endpoint = $this->settings->endpoint;
        $hurried = !$answered || Clock::now() - (self::$failedAt[$endpoint] ?? -INF) < self::REMEMBERED_S;
        $timeoutMs = $this->settings->timeoutMs + $moreMs;
        if ($this->settings->apiKey !== '') {
            return $this->exchangeByHttp($documents, $hurried, $timeoutMs, $path);
        }
        $this->transport ??= $this->makeTransport();
        $exchange = new Exchange($this->transport, $this->link, $documents, $answered, $timeoutMs, $hurried);
        // Whatever is thrown on the way (by a signal handler, say): a connection in an unknown state is not kept.
        $this->link = null;
        $done = $exchange->run();
        $this->link = $exchange->link;
        self::remember($endpoint, $done);
        return [$exchange->answers, $done ? null : $exchange->cause];
    }

    /**
     * @param array<string, string> $documents
     * @return array{array<string, Answer>, ?string}
     */
    private function exchangeByHttp(array $documents, bool $hurried, int $timeoutMs, string $path): array
    {
        $this->client ??= extension_loaded('curl') ? new Http\CurlClient() : new Http\StreamClient();
        $endpoint = $this->settings->endpoint;
        $key = $this->settings->apiKey;
        $exchange = new Http\Exchange($this->client, $endpoint, $key, $documents, $timeoutMs, $hurried);
        if (array_keys($documents) === ['']) {
            $position = $exchange->position();
            self::remember($endpoint, $position !== null);
            return $position === null ? [[], $exchange->cause] : [['' => Answer::position($position)], null];
        }
        $done = $path === '/command' ? $exchange->command() : $exchange->push();
        self::remember($endpoint, $done);
        return [$exchange->answers, $done ? null : $exchange->cause];
    }

    private static function remember(string $endpoint, bool $done): void
    {
        if ($done) {
            unset(self::$failedAt[$endpoint]);
        } else {
            self::$failedAt[$endpoint] = Clock::now();
        }
    }

    private function makeTransport(): Transport
    {
        $keys = $this->settings->keys;
        $ext = $this->settings->transport === 'ext-zmq'
            || $this->settings->transport === 'auto' && ExtZmqTransport::isAvailable($keys);
        $class = $ext ? ExtZmqTransport::class : StreamTransport::class;
        $transports = array_map(
            static fn (string $endpoint): Transport => new $class($endpoint, $keys),
            explode(',', $this->settings->endpoint),
        );
        return count($transports) === 1 ? $transports[0] : new TransportInTurn($transports);
    }

    /**
     * @param array<int, string> $ids
     * @param array<int, Answer> $answers
     */
    private function notConfirmed(?string $cause, array $ids = [], array $answers = []): NotConfirmed
    {
        return new NotConfirmed($this->settings->endpoint, $this->settings->timeoutMs, (string) $cause, $ids, $answers);
    }
}
