<?php

declare(strict_types=1);

namespace Stork;

/** A message whose data is JSON text already; it travels as these bytes, neither decoded nor encoded again. */
final class JsonMessage extends Message
{
    /** @throws InvalidPush the text is not JSON */
    public function __construct(private string $type, public readonly string $json)
    {
        try {
            json_decode($json, false, 512, JSON_THROW_ON_ERROR);
        } catch (\JsonException $error) {
            throw new InvalidPush("the data is not JSON: {$error->getMessage()}", 0, $error);
        }
    }

    public function getType()
    {
        return $this->type;
    }

    public function getData()
    {
        return json_decode($this->json);
    }
}
