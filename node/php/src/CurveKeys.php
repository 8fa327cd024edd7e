<?php

declare(strict_types=1);

namespace Stork;

/**
 * What a pusher needs for CURVE: the publish server's public key and a key pair of its own, 32 bytes each.
 *
 * @internal
 */
final class CurveKeys
{
    private function __construct(
        public readonly string $serverPublic,
        public readonly string $clientPublic,
        #[\SensitiveParameter] public readonly string $clientSecret,
    ) {
    }

    /** The keys that everyone who knows STORK_BUS_SECRET derives alike. */
    public static function fromSecret(#[\SensitiveParameter] string $secret): self
    {
        self::requireSodium();
        $derive = static fn (string $label): string => hash_hmac('sha256', "stork {$label}", $secret, true);
        $clientSecret = $derive('push client');
        return new self(
            sodium_crypto_scalarmult_base($derive('push server')),
            sodium_crypto_scalarmult_base($clientSecret),
            $clientSecret,
        );
    }

    /** From the push key, Z85(server public) + Z85(client secret), 80 characters; null where it is not one. */
    public static function fromPushKey(#[\SensitiveParameter] string $pushKey): ?self
    {
        $bytes = strlen($pushKey) === 80 ? Z85::decode($pushKey) : null;
        if ($bytes === null) {
            return null;
        }
        self::requireSodium();
        [$serverPublic, $clientSecret] = str_split($bytes, 32);
        return new self($serverPublic, sodium_crypto_scalarmult_base($clientSecret), $clientSecret);
    }

    /** @return array<string, string> so that var_dump() and error reports show no key */
    public function __debugInfo(): array
    {
        return ['clientSecret' => '(hidden)'];
    }

    private static function requireSodium(): void
    {
        if (!function_exists('sodium_crypto_box')) {
            throw new MissingExtension('sodium', 'a secret or push key is set, and CURVE needs it to encrypt');
        }
    }
}
