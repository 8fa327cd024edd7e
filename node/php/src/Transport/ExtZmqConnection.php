<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\ConnectionFailed;

/**
 * A DEALER of libzmq. It connects again by itself, and tells nobody: a lost answer shows as silence.
 *
 * @internal
 */
final class ExtZmqConnection implements Connection
{
    private bool $waitsForRoom = false;
    private ?ConnectionFailed $failure = null;

    /** @var resource readable when there is news in libzmq, which only isReady() tells: zmq_getsockopt(3), ZMQ_FD */
    public readonly mixed $descriptor;

    public function __construct(private \ZMQSocket $socket)
    {
        $this->descriptor = $socket->getSockOpt(\ZMQ::SOCKOPT_FD);
    }

    /** Whether there is something to take, or room for what was refused. */
    public function isReady(): bool
    {
        $events = $this->socket->getSockOpt(\ZMQ::SOCKOPT_EVENTS);
        return (bool) ($events & ($this->waitsForRoom ? \ZMQ::POLL_IN | \ZMQ::POLL_OUT : \ZMQ::POLL_IN));
    }

    public function offer(string $message): bool
    {
        try {
            $this->waitsForRoom = $this->socket->send($message, \ZMQ::MODE_DONTWAIT) === false;
        } catch (\ZMQSocketException) {
            $this->waitsForRoom = true;
        }
        return !$this->waitsForRoom;
    }

    public function flush(): bool
    {
        return !$this->waitsForRoom;
    }

    public function take(): array
    {
        $messages = [];
        try {
            while ($this->failure === null && ($frames = $this->socket->recvMulti(\ZMQ::MODE_DONTWAIT)) !== false) {
                if (count($frames) > 1) {
                    $this->failure = new ConnectionFailed('it answered in several frames, where an answer is one');
                } else {
                    $messages[] = $frames[0];
                }
            }
        } catch (\ZMQSocketException $error) {
            $this->failure = new ConnectionFailed(lcfirst($error->getMessage()), 0, $error);
        }
        return $messages !== [] || $this->failure === null ? $messages : throw $this->failure;
    }

    public function awaited(): string
    {
        // libzmq does not say why: nothing there, another protocol, a wrong key. ExtZmqTransport::tryHandshake() does.
        return $this->waitsForRoom ? 'connection' : 'answer';
    }

    public function close(): void
    {
        unset($this->socket);
    }
}
