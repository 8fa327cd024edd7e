<?php

declare(strict_types=1);

namespace Stork;

/**
 * Tells the setting `warn` of pushes that arrive otherwise than meant: each sentence once, and of rounded integers one
 * at all.
 *
 * @internal
 */
final class Warnings
{
    private const MOST_SENTENCES = 100;
    private const STRING = '"[^"\\\\]*+(?:\\\\.[^"\\\\]*+)*+"';
    private const MANY_DIGITS = '(?<![0-9.eE+-])-?[0-9]{16,}+(?![.eE])';

    /** @var array<string, true> */
    private array $told = [];
    private bool $toldOfIntegers = false;

    public function __construct(private readonly ?\Closure $warn)
    {
    }

    /** Looks for integers in a push that is about to be sent. */
    public function lookAt(string $json): void
    {
        if ($this->warn === null || $this->toldOfIntegers || preg_match('/[0-9]{16}/', $json) !== 1) {
            return;
        }
        preg_match_all('/' . self::STRING . '(*SKIP)(*FAIL)|' . self::MANY_DIGITS . '/s', $json, $found);
        foreach ($found[0] ?? [] as $number) {
            $digits = ltrim($number, '-');
            if (strlen($digits) > 16 || strcmp($digits, (string) 2 ** 53) > 0) {
                $this->toldOfIntegers = true;
                ($this->warn)("a push holds the integer {$number}: JavaScript rounds integers beyond 2^53, so send it as a string");
                return;
            }
        }
    }

    /** Takes the warning of an answer. */
    public function answered(?string $warning): void
    {
        if ($warning === null || $this->warn === null || isset($this->told[$warning])) {
            return;
        }
        if (count($this->told) < self::MOST_SENTENCES) {
            $this->told[$warning] = true;
            ($this->warn)($warning);
        }
    }
}
