"""The environment of child processes: without secrets that they do not need."""

from collections.abc import Mapping, Sequence

from stork_node.config.expansion import names_in

_OF_ANY_PROCESS = frozenset({"HOME", "LANG", "LANGUAGE", "PATH", "SHELL", "TMPDIR", "TZ", "USER"})
_OF_ANY_PROCESS_PREFIXES = ("COVERAGE_", "COV_CORE_", "LC_", "LD_", "MALLOC_", "PYTHON")
_OF_THE_PUBLISH_SERVER = frozenset(
    {
        "STORK_BIND",
        "STORK_BUS_SECRET",
        "STORK_DATA",
        "STORK_DEPLOYMENT",
        "STORK_ENGINE",
        "STORK_LOG",
        "STORK_LOG_LEVEL",
    }
)


def publish_server_environ(arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """
    The environment of the publish server: without the ticket, and with no secret but that of the bus.

    Args:
        arguments: its arguments, and what else it reads; the variables that they name are kept, too.
    """
    wanted = _OF_ANY_PROCESS | _OF_THE_PUBLISH_SERVER | {name for text in arguments for name in names_in(text)}
    return {
        name: value for name, value in environ.items() if name in wanted or name.startswith(_OF_ANY_PROCESS_PREFIXES)
    }
