"""The errors of a benchmark, each in one sentence."""


class BenchError(Exception):
    """Its text says what is wrong, and what to do."""


class MeasurementFailed(BenchError):
    """One peer in one case has no figure; the others go on."""
