<?php

declare(strict_types=1);

// For those without composer: `require '…/node/php/autoload.php';`
spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Stork\\')) {
        $file = __DIR__ . '/src/' . strtr(substr($class, 6), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
