<?php

declare(strict_types=1);

namespace Stork;

/** Settings that cannot work; the message names every one that is wrong, with what it should look like. */
final class InvalidSettings extends StorkException
{
    /** @param list<string> $problems one sentence each */
    public function __construct(public readonly array $problems)
    {
        parent::__construct(implode('; ', $problems));
    }
}
