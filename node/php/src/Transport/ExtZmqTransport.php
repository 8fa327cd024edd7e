<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\Clock;
use Stork\ConnectionFailed;
use Stork\CurveKeys;

/**
 * libzmq, by PHP's extension zmq.
 *
 * @internal
 */
final class ExtZmqTransport implements Transport
{
    private ?\ZMQContext $context = null;

    public function __construct(private string $endpoint, private ?CurveKeys $keys)
    {
    }

    /** Whether the extension is there, with what these settings need. */
    public static function isAvailable(?CurveKeys $keys): bool
    {
        return extension_loaded('zmq') && defined('ZMQ::SOCKOPT_IMMEDIATE')
            && ($keys === null || defined('ZMQ::SOCKOPT_CURVE_SERVERKEY'));
    }

    public function connect(float $until): Connection
    {
        try {
            $this->context ??= new \ZMQContext(1, false);
            $socket = new \ZMQSocket($this->context, \ZMQ::SOCKET_DEALER);
            // Nothing is queued for a server that is not there: a late one would be delivered after the exception.
            $socket->setSockOpt(\ZMQ::SOCKOPT_IMMEDIATE, 1);
            $socket->setSockOpt(\ZMQ::SOCKOPT_LINGER, 0);
            $socket->setSockOpt(\ZMQ::SOCKOPT_RECONNECT_IVL, 20);
            $socket->setSockOpt(\ZMQ::SOCKOPT_RECONNECT_IVL_MAX, 500);
            $socket->setSockOpt(\ZMQ::SOCKOPT_IPV6, str_contains($this->endpoint, '[') ? 1 : 0);
            if ($this->keys !== null) {
                $socket->setSockOpt(\ZMQ::SOCKOPT_CURVE_SERVERKEY, $this->keys->serverPublic);
                $socket->setSockOpt(\ZMQ::SOCKOPT_CURVE_PUBLICKEY, $this->keys->clientPublic);
                $socket->setSockOpt(\ZMQ::SOCKOPT_CURVE_SECRETKEY, $this->keys->clientSecret);
            }
            $socket->connect($this->endpoint);
        } catch (\ZMQException $error) {
            throw new ConnectionFailed(lcfirst($error->getMessage()), 0, $error);
        }
        return new ExtZmqConnection($socket);
    }

    public function probe(float $until): void
    {
        // libzmq connects behind our back, and says of nobody that nobody is there.
        fclose(Tcp::connect($this->endpoint, $until));
    }

    public function tryHandshake(float $until): ?Connection
    {
        $stream = new StreamTransport($this->endpoint, $this->keys);
        $connection = $stream->connect($until);
        try {
            for ($connection->take(); $connection->awaited() !== 'answer' && Clock::now() < $until; $connection->take()) {
                $stream->wait([$connection], $until);
            }
        } catch (ConnectionFailed $failure) {
            $connection->close();
            throw $failure;
        }
        return $connection;
    }

    public function wait(array $connections, float $until): void
    {
        // Not with ZMQPoll: it takes two sockets for one (php-zmq 1.1.3 on PHP 8: equal keys), and a signal makes it
        // throw, which keeps PHP from calling that signal's handler.
        $descriptors = [];
        foreach ($connections as $connection) {
            assert($connection instanceof ExtZmqConnection);
            if ($connection->isReady()) {
                return;
            }
            $descriptors[] = $connection->descriptor;
        }
        Select::wait($descriptors, [], $until);
    }
}
