<?php

declare(strict_types=1);

namespace Stork;

/**
 * What is pushed: a type and its data, one class for each kind of message.
 *
 *     final class OrderPaid extends Message
 *     {
 *         const TYPE = 'order_paid';
 *
 *         public function __construct(private Order $order) {}
 *
 *         public function getData()
 *         {
 *             return ['id' => $this->order->id];
 *         }
 *     }
 *
 * A class written for Virge::Stork, with its MESSAGE_TYPE, works as it is. No return types here, so that
 * such classes need none.
 */
abstract class Message
{
    /** What subscribers see as `type`: 1 to 255 characters. */
    const TYPE = '';

    /**
     * What subscribers see as `data`.
     *
     * @return mixed anything that json_encode() takes; `[]` becomes a JSON array, `new \stdClass` an object
     */
    abstract public function getData();

    /** @return string */
    public function getType()
    {
        $old = static::class . '::MESSAGE_TYPE';
        return static::TYPE === '' && defined($old) ? constant($old) : static::TYPE;
    }

    /** @return \DateTimeInterface|string|null when it happened (a string is RFC 3339); null: when it is taken */
    public function getTimestamp()
    {
        return null;
    }
}
