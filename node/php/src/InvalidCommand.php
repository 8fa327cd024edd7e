<?php

declare(strict_types=1);

namespace Stork;

/** A command that cannot be sent as it is: an unknown option, a value that JSON cannot hold. Nothing was sent. */
final class InvalidCommand extends StorkException
{
}
