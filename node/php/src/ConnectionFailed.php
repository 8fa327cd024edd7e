<?php

declare(strict_types=1);

namespace Stork;

/**
 * One connection cannot go on; its message is the cause that NotConfirmed names when no other connection did better.
 *
 * @internal
 */
final class ConnectionFailed extends StorkException
{
}
