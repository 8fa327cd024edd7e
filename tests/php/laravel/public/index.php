<?php

// A small application of Laravel, with what `laravel new` makes of it: users, a session, channels, one event.
// Its storage and its settings come from the environment.

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;

// Debian's Laravel 8 is older than this PHP, which says so.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);

require '/usr/share/php/Illuminate/autoload.php';
require dirname(__DIR__, 4) . '/node/php/autoload.php';
spl_autoload_register(function (string $class): void {
    if (str_starts_with($class, 'App\\')) {
        require dirname(__DIR__) . '/app/' . strtr(substr($class, 4), '\\', '/') . '.php';
    }
});

foreach (['SERVICES', 'PACKAGES'] as $name) {
    $_SERVER["APP_{$name}_CACHE"] = getenv('APP_STORAGE') . "/{$name}.php";
}
$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->useStoragePath(getenv('APP_STORAGE'));
$app->singleton(Kernel::class, App\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);

$kernel = $app->make(Kernel::class);
$response = $kernel->handle($request = Request::capture());
$response->send();
$kernel->terminate($request, $response);
