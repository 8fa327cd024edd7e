<?php

declare(strict_types=1);

namespace Stork;

/** What every exception of this library extends: catch it to catch them all. */
abstract class StorkException extends \RuntimeException
{
}
