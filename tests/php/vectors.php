<?php

declare(strict_types=1);

// What the PHP client makes of each case of a group in tests/vectors: one line of JSON a case, in their order.
// Arguments: FILE GROUP. tests/vector_files.py says how values are written in short.

use Stork\Answer;
use Stork\JsonMessage;
use Stork\PushDocument;
use Stork\SimpleMessage;
use Stork\Stork;
use Stork\StorkException;
use Stork\Warnings;
use Stork\Webhook;

require __DIR__ . '/../../node/php/autoload.php';

function expand(mixed $value): mixed
{
    if (!is_array($value)) {
        return $value;
    }
    if (count($value) === 1) {
        $given = reset($value);
        switch (key($value)) {
            case '$repeat':
                return str_repeat(...$given);
            case '$numbered':
                return array_map(fn (int $number): string => $given[0] . $number, range(0, $given[1] - 1));
            case '$nested':
                return json_decode(str_repeat('[', $given) . str_repeat(']', $given));
            case '$base64':
                return base64_decode($given, true);
            case '$join':
                return implode('', array_map(expand(...), $given));
        }
    }
    return array_map(expand(...), $value);
}

/** @param array<string, mixed> $push */
function document(array $push): string
{
    $message = isset($push['data_json'])
        ? new JsonMessage($push['type'], $push['data_json'])
        : new SimpleMessage($push['type'], $push['data'] ?? null);
    $options = array_diff_key($push, array_flip(['topics', 'type', 'data', 'data_json']));
    return PushDocument::encode($push['topics'], $message, $options)->json;
}

/** @return array<string, mixed> */
function answer(string $frame): array
{
    // Of a push: what only commands have is left out.
    return array_diff_key(get_object_vars(Answer::decode($frame)), ['complete' => 0, 'nodes' => 0]);
}

function rounded(string $text): ?string
{
    $told = null;
    (new Warnings(function (string $sentence) use (&$told): void {
        $told = explode(':', substr($sentence, strlen('a push holds the integer ')))[0];
    }))->lookAt($text);
    return $told;
}

[, $file, $group] = $argv;
$cases = json_decode(file_get_contents(__DIR__ . "/../vectors/{$file}.json"), true, flags: JSON_THROW_ON_ERROR)[$group];
foreach ($cases as $case) {
    try {
        $result = match ($file) {
            'push_documents' => document(expand($case['push'])),
            'push_answers' => answer(expand($case['frame'])),
            'rounded_integers' => rounded($case['text']),
            'feed_ids' => Stork::feedId($case['text']),
            'webhooks' => Webhook::verify($case['secret'], $case['signature'], $case['body'], $case['now']),
        };
        $said = ['result' => $result];
    } catch (StorkException $error) {
        $said = ['thrown' => $error->getMessage()];
    }
    echo json_encode($said, JSON_THROW_ON_ERROR), "\n";
}
