<?php

declare(strict_types=1);

namespace Stork\Laravel;

use Illuminate\Broadcasting\BroadcastManager;
use Illuminate\Support\Arr;
use Illuminate\Support\ServiceProvider;
use Stork\Publisher;
use Stork\Pusher\Signer;
use Stork\Stork;

/**
 * The driver `stork` for config/broadcasting.php:
 *
 *     'stork' => [
 *         'driver' => 'stork',
 *         'key' => env('PUSHER_APP_KEY'),
 *         'secret' => env('PUSHER_APP_SECRET'),
 *         'publisher' => ['endpoint' => env('STORK_ENDPOINT', 'tcp://127.0.0.1:5557')],
 *     ],
 *
 * `publisher` has the settings of Publisher. `Stork::push` and its like use the same publisher.
 */
final class StorkServiceProvider extends ServiceProvider
{
    public function register(): void
    {
        $this->app->singleton(Publisher::class, function ($app): Publisher {
            return new Publisher(Arr::get($app['config']['broadcasting.connections.stork'] ?? [], 'publisher', []));
        });
        Stork::use(fn (): Publisher => $this->app->make(Publisher::class));
    }

    public function boot(): void
    {
        $this->callAfterResolving(BroadcastManager::class, function (BroadcastManager $manager): void {
            $manager->extend('stork', function ($app, array $config): StorkBroadcaster {
                $signer = new Signer((string) ($config['key'] ?? ''), (string) ($config['secret'] ?? ''));
                return new StorkBroadcaster($app->make(Publisher::class), $signer, $config['version'] ?? 'pusher');
            });
        });
    }
}
