#!/usr/bin/env php
<?php

declare(strict_types=1);

use Stork\InvalidPush;
use Stork\InvalidSettings;
use Stork\JsonMessage;
use Stork\MissingExtension;
use Stork\Publisher;
use Stork\StorkException;

require __DIR__ . '/../node/php/autoload.php';

const USAGE = 'Usage: php scripts/push.php [options] TOPIC[,TOPIC...] TYPE [DATA]';
const HELP = USAGE . <<<'TEXT'


    Pushes one message, and prints its position once the publish server has stored it.

      TOPIC  version.feed.id, such as v1.test.1
      TYPE   what the page sees as the message's type, such as order_paid
      DATA   any JSON, such as '{"id": 42}' (null if left out); - reads it from standard input

    Options:
      --endpoint=tcp://HOST:PORT  the publish server; otherwise port 5557 of the host in STORK_PUBLISH_SERVER,
                                  otherwise of this machine
      --timeout-ms=MS             give up after so many milliseconds (2000)
      --no-answer                 do not wait for the answer, and print nothing
      --help                      this text

    Where the publish server has a secret, set STORK_BUS_SECRET to the same.
    Exit status: 0 stored (with --no-answer: sent), 1 failed, 2 wrong usage or settings.

    TEXT;

/** Says one sentence and ends. */
function fail(int $status, string $sentence): never
{
    fwrite(STDERR, "push.php: {$sentence}\n");
    exit($status);
}

/**
 * @param list<string> $arguments
 * @return array{list<string>, array<string, string|true>} what is no option, and the options by name
 */
function parse(array $arguments): array
{
    $words = $options = [];
    while ($arguments !== []) {
        $argument = array_shift($arguments);
        if ($argument === '--') {
            array_push($words, ...$arguments);
            break;
        }
        if (!str_starts_with($argument, '--')) {
            $words[] = $argument;
            continue;
        }
        [$name, $value] = explode('=', $argument, 2) + [1 => null];
        if (in_array($name, ['--endpoint', '--timeout-ms'], true)) {
            $options[$name] = $value ?? array_shift($arguments) ?? fail(2, "{$name} needs a value");
        } elseif (in_array($name, ['--no-answer', '--help'], true) && $value === null) {
            $options[$name] = true;
        } else {
            fail(2, "{$argument} is not an option; --help shows those that are");
        }
    }
    return [$words, $options];
}

[$words, $options] = parse(array_slice($argv, 1));
if (isset($options['--help'])) {
    echo HELP;
    exit(0);
}
if (count($words) < 2 || count($words) > 3) {
    $problem = count($words) < 2 ? 'a topic and a type are needed' : 'too many arguments (is DATA quoted?)';
    fail(2, "{$problem}. " . USAGE);
}
[$topics, $type] = $words;
$data = $words[2] ?? 'null';
$settings = [];
if (isset($options['--endpoint'])) {
    $settings['endpoint'] = $options['--endpoint'];
}
if (isset($options['--timeout-ms'])) {
    $number = filter_var($options['--timeout-ms'], FILTER_VALIDATE_INT);
    $settings['timeout_ms'] = $number === false ? $options['--timeout-ms'] : $number;
}

try {
    $publisher = new Publisher($settings);
    $message = new JsonMessage($type, $data === '-' ? (string) stream_get_contents(STDIN) : $data);
    if (isset($options['--no-answer'])) {
        $publisher->send(explode(',', $topics), $message);
    } else {
        echo $publisher->push(explode(',', $topics), $message), "\n";
    }
} catch (InvalidPush | InvalidSettings | MissingExtension $error) {
    fail(2, $error->getMessage());
} catch (StorkException $error) {
    fail(1, $error->getMessage());
}
