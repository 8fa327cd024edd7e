<?php

declare(strict_types=1);

namespace Stork\Laravel;

use Illuminate\Broadcasting\BroadcastException;
use Illuminate\Broadcasting\Broadcasters\Broadcaster;
use Illuminate\Broadcasting\Broadcasters\UsePusherChannelConventions;
use Stork\Publisher;
use Stork\Pusher\ChannelTopic;
use Stork\Pusher\Signer;
use Stork\SimpleMessage;
use Stork\StorkException;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/** Laravel's broadcaster `stork`: events are pushes with ids; a broadcast returns when its push is stored. */
final class StorkBroadcaster extends Broadcaster
{
    use UsePusherChannelConventions;

    // As many as one push may have.
    private const TOPICS = 1000;

    /** @param string $version of the app's topics */
    public function __construct(private Publisher $publisher, private Signer $signer, private string $version = 'pusher')
    {
    }

    /**
     * @param \Illuminate\Http\Request $request
     * @return mixed
     */
    public function auth($request)
    {
        $asked = (string) $request->channel_name;
        $channel = $this->normalizeChannelName($asked);
        if ($asked === '' || ($this->isGuardedChannel($asked) && !$this->retrieveUser($request, $channel))) {
            throw new AccessDeniedHttpException();
        }
        return parent::verifyUserCanAccessChannel($request, $channel);
    }

    /**
     * @param \Illuminate\Http\Request $request
     * @param mixed $result what the channel's callback returned
     * @return array<string, string>
     */
    public function validAuthenticationResponse($request, $result)
    {
        $channel = (string) $request->channel_name;
        $data = null;
        if (str_starts_with($channel, 'presence-')) {
            $user = $this->retrieveUser($request, $this->normalizeChannelName($channel));
            $data = json_encode(['user_id' => self::id($user), 'user_info' => $result], JSON_THROW_ON_ERROR);
        }
        return $this->signed(fn (): array => $this->signer->channel((string) $request->socket_id, $channel, $data));
    }

    /**
     * The answer to a client that signs in, for Laravel 9 and later: `Broadcast::resolveAuthenticatedUserUsing`.
     *
     * @param \Illuminate\Http\Request $request
     * @return ?array<string, string>
     */
    public function resolveAuthenticatedUser($request)
    {
        $resolve = $this->authenticatedUserCallback ?? null;
        $user = $resolve === null ? null : $resolve($request);
        if (!$user) {
            return null;
        }
        $data = json_encode($user, JSON_THROW_ON_ERROR);
        return $this->signed(fn (): array => $this->signer->user((string) $request->socket_id, $data));
    }

    /**
     * @param array<\Illuminate\Broadcasting\Channel|string> $channels
     * @param string $event
     * @param array<string, mixed> $payload
     */
    public function broadcast(array $channels, $event, array $payload = [])
    {
        $socket = $payload['socket'] ?? null;
        unset($payload['socket']);
        $options = is_string($socket) && preg_match('/^(\d{1,16})\.\d+$/D', $socket, $found) === 1
            ? ['exclude' => [(int) $found[1]]]
            : [];
        $message = new SimpleMessage($event, $payload);
        try {
            $topics = array_map(fn (string $channel): string => ChannelTopic::of($channel, $this->version), $this->formatChannels($channels));
            foreach (array_chunk($topics, self::TOPICS) as $some) {
                $this->publisher->push($some, $message, $options);
            }
        } catch (StorkException $error) {
            throw new BroadcastException("Stork: {$error->getMessage()}", 0, $error);
        }
    }

    private static function id(mixed $user): string
    {
        return (string) (method_exists($user, 'getAuthIdentifierForBroadcasting')
            ? $user->getAuthIdentifierForBroadcasting()
            : $user->getAuthIdentifier());
    }

    /**
     * @param callable(): array<string, string> $sign
     * @return array<string, string>
     */
    private function signed(callable $sign): array
    {
        try {
            return $sign();
        } catch (\InvalidArgumentException) {
            throw new AccessDeniedHttpException();
        }
    }
}
