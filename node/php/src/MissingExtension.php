<?php

declare(strict_types=1);

namespace Stork;

/** A setting asks for what only a PHP extension can do, and that extension is not loaded. */
final class MissingExtension extends StorkException
{
    public function __construct(public readonly string $extension, string $purpose)
    {
        parent::__construct("PHP's extension {$extension} is not loaded: {$purpose}");
    }
}
