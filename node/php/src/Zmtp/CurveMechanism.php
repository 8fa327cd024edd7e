<?php

declare(strict_types=1);

namespace Stork\Zmtp;

use Stork\ConnectionFailed;
use Stork\CurveKeys;

/**
 * CURVE, the client's side (RFC 26): HELLO, WELCOME, INITIATE, READY, then every frame in a MESSAGE box.
 *
 * In its names: C and S are the long-term keys of client and server, C' and S' those of this connection alone.
 *
 * @internal
 */
final class CurveMechanism implements Mechanism
{
    // Flags inside a box; on the outside every MESSAGE is a plain frame, as libzmq has it.
    private const BOX_MORE = 1;
    private const BOX_COMMAND = 2;

    private string $ownSecret;
    private string $ownPublic;
    /** C' with S', as crypto_box takes it; set by WELCOME. */
    private string $pair = '';
    private int $nonce = 0;
    private int $peerNonce = 0;
    /** @var ?array<string, string> */
    private ?array $peer = null;

    public function __construct(private CurveKeys $keys)
    {
        $pair = sodium_crypto_box_keypair();
        $this->ownSecret = sodium_crypto_box_secretkey($pair);
        $this->ownPublic = sodium_crypto_box_publickey($pair);
    }

    public function name(): string
    {
        return 'CURVE';
    }

    public function start(): ?string
    {
        $nonce = $this->nextNonce();
        $proof = sodium_crypto_box(
            str_repeat("\0", 64),
            'CurveZMQHELLO---' . $nonce,
            self::pair($this->ownSecret, $this->keys->serverPublic),
        );
        // Padded to 200 bytes, so that an answer is never longer than what asked for it.
        return Frame::command('HELLO', "\1\0" . str_repeat("\0", 72) . $this->ownPublic . $nonce . $proof);
    }

    public function handle(string $command): ?string
    {
        [$name, $data] = Frame::parseCommand($command);
        if ($name === 'WELCOME' && strlen($data) === 160 && $this->pair === '') {
            return $this->welcome($data);
        }
        if ($name === 'READY' && strlen($data) >= 24 && $this->pair !== '') {
            $metadata = $this->openBox(substr($data, 8), 'CurveZMQREADY---', substr($data, 0, 8));
            $this->peer = Metadata::decode($metadata);
            return null;
        }
        throw HandshakeError::of($command);
    }

    public function peerMetadata(): ?array
    {
        return $this->peer;
    }

    public function seal(int $flags, string $body): string
    {
        $inside = ($flags & Frame::MORE ? self::BOX_MORE : 0) | ($flags & Frame::COMMAND ? self::BOX_COMMAND : 0);
        $nonce = $this->nextNonce();
        $box = sodium_crypto_box(chr($inside) . $body, 'CurveZMQMESSAGEC' . $nonce, $this->pair);
        return Frame::encode(0, Frame::command('MESSAGE', $nonce . $box));
    }

    public function open(int $flags, string $body): array
    {
        if (!str_starts_with($body, "\7MESSAGE") || strlen($body) < 33) {
            throw new ConnectionFailed('it sent something that is not encrypted on an encrypted connection');
        }
        $plain = $this->openBox(substr($body, 16), 'CurveZMQMESSAGES', substr($body, 8, 8));
        $inside = ord($plain[0]);
        return [
            ($inside & self::BOX_MORE ? Frame::MORE : 0) | ($inside & self::BOX_COMMAND ? Frame::COMMAND : 0),
            substr($plain, 1),
        ];
    }

    private function welcome(string $data): string
    {
        $welcome = sodium_crypto_box_open(
            substr($data, 16),
            'WELCOME-' . substr($data, 0, 16),
            self::pair($this->ownSecret, $this->keys->serverPublic),
        );
        if ($welcome === false) {
            throw new ConnectionFailed('its CURVE key is not that of the secret or push key given here');
        }
        $serverOwn = substr($welcome, 0, 32);
        $cookie = substr($welcome, 32);
        $this->pair = self::pair($this->ownSecret, $serverOwn);
        $vouchNonce = random_bytes(16);
        $vouch = sodium_crypto_box(
            $this->ownPublic . $this->keys->serverPublic,
            'VOUCH---' . $vouchNonce,
            self::pair($this->keys->clientSecret, $serverOwn),
        );
        $nonce = $this->nextNonce();
        $initiate = sodium_crypto_box(
            $this->keys->clientPublic . $vouchNonce . $vouch . Metadata::ours(),
            'CurveZMQINITIATE' . $nonce,
            $this->pair,
        );
        return Frame::command('INITIATE', $cookie . $nonce . $initiate);
    }

    private function openBox(string $box, string $prefix, string $nonce): string
    {
        $number = unpack('J', $nonce)[1];
        $plain = sodium_crypto_box_open($box, $prefix . $nonce, $this->pair);
        if ($plain === false || $number <= $this->peerNonce) {
            throw new ConnectionFailed('it sent a CURVE box that cannot be opened');
        }
        $this->peerNonce = $number;
        return $plain;
    }

    private function nextNonce(): string
    {
        return pack('J', ++$this->nonce);
    }

    private static function pair(#[\SensitiveParameter] string $secret, string $public): string
    {
        return sodium_crypto_box_keypair_from_secretkey_and_publickey($secret, $public);
    }
}
