<?php

declare(strict_types=1);

namespace Stork\Transport;

use Stork\ConnectionFailed;
use Stork\Zmtp\Session;

/**
 * A socket without blocking, and the ZMTP session on it.
 *
 * @internal
 */
final class StreamConnection implements Connection
{
    private const READ_BYTES = 8192;
    // At once: a server that sends without a pause must not keep the caller from its clock.
    private const MOST_READS = 64;
    // More than this waits in the caller, not here.
    private const WRITE_BUFFER_BYTES = 1 << 18;

    private string $out = '';
    private ?ConnectionFailed $failure = null;

    /** @param resource $stream */
    public function __construct(public readonly mixed $stream, private Session $session)
    {
    }

    public function offer(string $message): bool
    {
        if (!$this->session->isReady() || strlen($this->out) > self::WRITE_BUFFER_BYTES) {
            return false;
        }
        $this->session->send($message);
        $this->out .= $this->session->takeOutput();
        return true;
    }

    public function flush(): bool
    {
        $this->out .= $this->session->takeOutput();
        while ($this->out !== '' && $this->failure === null) {
            [$written, $warning] = Quietly::call(fn () => fwrite($this->stream, $this->out));
            if ($written === false) {
                $this->failure = new ConnectionFailed(self::cut($warning));
            } elseif ($written === 0) {
                return false;
            } else {
                $this->out = substr($this->out, $written);
            }
        }
        return $this->failure === null;
    }

    public function take(): array
    {
        try {
            $this->read();
            $this->flush(); // a PONG, or the next step of the handshake
        } catch (ConnectionFailed $failure) {
            $this->failure = $failure;
        }
        $messages = $this->session->takeMessages();
        if ($messages === [] && $this->failure !== null) {
            throw $this->failure;
        }
        return $messages;
    }

    public function awaited(): string
    {
        return $this->session->awaited();
    }

    public function close(): void
    {
        fclose($this->stream);
    }

    private function read(): void
    {
        for ($reads = 0; $reads < self::MOST_READS; $reads++) {
            [$bytes, $warning] = Quietly::call(fn () => fread($this->stream, self::READ_BYTES));
            if ($bytes === false || $bytes === '') {
                if ($warning !== '' || feof($this->stream)) {
                    throw new ConnectionFailed(self::cut($warning, $this->session->awaited()));
                }
                return;
            }
            $this->session->receive($bytes);
            if (strlen($bytes) < self::READ_BYTES) {
                return;
            }
        }
    }

    private static function cut(string $warning, string $awaited = 'answer'): string
    {
        $detail = preg_match('/errno=\d+ (.+)$/', $warning, $match) ? ' (' . lcfirst($match[1]) . ')' : '';
        if (str_starts_with($awaited, Session::CURVE_HANDSHAKE)) {
            return 'the publish server refuses the secret or push key that is used here: it has another one, or none'
                . " (STORK_BUS_SECRET){$detail}";
        }
        return "the connection was cut before the {$awaited}{$detail}";
    }
}
