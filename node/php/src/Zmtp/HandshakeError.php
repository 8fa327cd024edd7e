<?php

declare(strict_types=1);

namespace Stork\Zmtp;

use Stork\ConnectionFailed;

/**
 * What to say of a command that a handshake did not expect, among them the peer's ERROR.
 *
 * @internal
 */
final class HandshakeError
{
    public static function of(string $command): ConnectionFailed
    {
        [$name, $data] = Frame::parseCommand($command);
        if ($name !== 'ERROR') {
            return new ConnectionFailed('its ZMTP handshake is malformed');
        }
        $reason = substr($data, 1);
        return new ConnectionFailed(match ($reason) {
            '400' => 'the publish server does not admit this key (ZAP 400): is it the push key, of the same secret?',
            default => "the publish server refused the connection: '{$reason}'",
        });
    }
}
