<?php

declare(strict_types=1);

namespace Stork;

/** A message without a class of its own: `new SimpleMessage('order_paid', ['id' => 42])`. */
final class SimpleMessage extends Message
{
    public function __construct(private string $type, private mixed $data = null)
    {
    }

    public function getType()
    {
        return $this->type;
    }

    public function getData()
    {
        return $this->data;
    }
}
