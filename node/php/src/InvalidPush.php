<?php

declare(strict_types=1);

namespace Stork;

/** A push that cannot be sent as it is: no topics, data that JSON cannot hold, an unknown option. Nothing was sent. */
final class InvalidPush extends StorkException
{
}
