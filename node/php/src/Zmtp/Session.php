<?php

declare(strict_types=1);

namespace Stork\Zmtp;

use Stork\ConnectionFailed;
use Stork\Excerpt;

/**
 * One ZMTP 3 connection of a DEALER to a ROUTER, with no I/O: bytes in, messages out, and the other way round.
 *
 * @internal
 */
final class Session
{
    /** What `awaited()` begins with before a CURVE server has admitted this client. */
    public const CURVE_HANDSHAKE = 'CURVE handshake';

    // Answers have some 200 bytes. More than this is not a publish server, and not worth the memory.
    private const MAX_FRAME_BYTES = 1 << 16;
    private const GREETING_BYTES = 64;

    private string $in = '';
    private string $out;
    /** @var list<string> */
    private array $messages = [];
    private bool $greeted = false;
    private bool $ready = false;

    public function __construct(private Mechanism $mechanism)
    {
        // Signature and version 3.1. The rest follows the peer's greeting: libzmq cuts a peer of another mechanism
        // before it has said its own, and nobody would know why.
        $this->out = "\xFF" . str_repeat("\0", 8) . "\x7F\3\1";
    }

    public function isReady(): bool
    {
        return $this->ready;
    }

    /** What is missing now, for an error that says how far it came. */
    public function awaited(): string
    {
        return match (true) {
            $this->ready => 'answer',
            !$this->greeted => 'ZMTP greeting',
            // A libzmq that cannot open our HELLO just hangs up.
            $this->mechanism->name() === 'CURVE' =>
                self::CURVE_HANDSHAKE . ' (is it the right secret or push key, and the ROUTER?)',
            default => 'ZMTP handshake',
        };
    }

    /** Takes one message of one frame to send; only once isReady(). */
    public function send(string $body): void
    {
        $this->out .= $this->mechanism->seal(0, $body);
    }

    /** The bytes to write, once. */
    public function takeOutput(): string
    {
        [$out, $this->out] = [$this->out, ''];
        return $out;
    }

    /** @return list<string> the messages that are complete, once */
    public function takeMessages(): array
    {
        [$messages, $this->messages] = [$this->messages, []];
        return $messages;
    }

    /**
     * Takes bytes as they came, cut anywhere.
     *
     * @throws ConnectionFailed
     */
    public function receive(string $bytes): void
    {
        $this->in .= $bytes;
        $at = $this->greeted ? 0 : $this->readGreeting();
        $end = strlen($this->in);
        while ($this->greeted && $end - $at >= 2) {
            $flags = ord($this->in[$at]);
            $header = $flags & Frame::LONG ? 9 : 2;
            if ($flags > 7) {
                throw new ConnectionFailed('it broke off from ZMTP with ' . Excerpt::of(substr($this->in, $at)));
            }
            if ($end - $at < $header) {
                break;
            }
            $length = $header === 9 ? unpack('J', $this->in, $at + 1)[1] : ord($this->in[$at + 1]);
            if ($length < 0 || $length > self::MAX_FRAME_BYTES) {
                throw new ConnectionFailed("it announced a frame of {$length} bytes, which is no answer");
            }
            if ($end - $at < $header + $length) {
                break;
            }
            $this->frame($flags & ~Frame::LONG, substr($this->in, $at + $header, $length));
            $at += $header + $length;
        }
        $this->in = substr($this->in, $at);
    }

    /** @return int how many bytes it took */
    private function readGreeting(): int
    {
        $start = $this->in;
        if ($start !== '' && $start[0] !== "\xFF" || strlen($start) > 9 && !(ord($start[9]) & 1)) {
            throw new ConnectionFailed('it does not speak ZMTP; it began with ' . Excerpt::of($start));
        }
        if (strlen($start) > 10 && ord($start[10]) < 3) {
            throw new ConnectionFailed('it speaks an old ZMTP (want 3.0 or later)');
        }
        if (strlen($start) < self::GREETING_BYTES) {
            return 0;
        }
        $theirs = rtrim(substr($start, 12, 20), "\0");
        $ours = $this->mechanism->name();
        if ($theirs !== $ours) {
            throw new ConnectionFailed(match ($theirs) {
                'CURVE' => 'the publish server wants CURVE, and no secret or push key is set here (STORK_BUS_SECRET)',
                'NULL' => 'the publish server has no secret (STORK_BUS_SECRET), and one is set here',
                default => 'the mechanism it wants is ' . Excerpt::of($theirs) . ", not {$ours}",
            });
        }
        $this->greeted = true;
        // Mechanism, as-server 0, filler.
        $this->out .= str_pad($ours, 20, "\0") . str_repeat("\0", 32);
        $this->reply($this->mechanism->start());
        return self::GREETING_BYTES;
    }

    private function frame(int $flags, string $body): void
    {
        if (!$this->ready) {
            $this->handshake($flags, $body);
            return;
        }
        [$flags, $body] = $this->mechanism->open($flags, $body);
        if ($flags & Frame::COMMAND) {
            $this->command($body);
            return;
        }
        if ($flags & Frame::MORE) {
            throw new ConnectionFailed('it answered in several frames, where an answer is one');
        }
        $this->messages[] = $body;
    }

    private function handshake(int $flags, string $body): void
    {
        if (!($flags & Frame::COMMAND)) {
            throw new ConnectionFailed('its ZMTP handshake is malformed');
        }
        $this->reply($this->mechanism->handle($body));
        $peer = $this->mechanism->peerMetadata();
        if ($peer !== null) {
            $type = $peer['socket-type'] ?? 'nameless';
            if ($type !== 'ROUTER') {
                $wanted = "the publish server's ROUTER, port 5557 unless told otherwise";
                throw new ConnectionFailed("it is a {$type} socket (want {$wanted})");
            }
            $this->ready = true;
        }
    }

    private function reply(?string $command): void
    {
        if ($command !== null) {
            $this->out .= Frame::encode(Frame::COMMAND, $command);
        }
    }

    private function command(string $body): void
    {
        [$name, $data] = Frame::parseCommand($body);
        if ($name === 'PING') {
            // 2 bytes of time-to-live, then a context that the PONG gives back.
            $this->out .= $this->mechanism->seal(Frame::COMMAND, Frame::command('PONG', substr($data, 2)));
        }
    }
}
