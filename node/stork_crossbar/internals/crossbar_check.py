"""
Checks that the installed Crossbar, autobahn and Twisted have all private names; used by ``stork check --crossbar``.
"""

from collections import Counter
from importlib.metadata import version

from stork_crossbar.internals.deferred_imports import deferred
from stork_crossbar.internals.private_names import NODE, PRIVATE_NAMES, missing
from stork_node.errors import ConfigError, Problem

_PACKAGES = ("crossbar", "autobahn", "twisted")


def versions() -> str:
    """``crossbar 26.10.1, autobahn 26.10.2, twisted 26.10.0``"""
    return ", ".join(f"{name} {version(name)}" for name in _PACKAGES)


def refuse_other_versions() -> None:
    """
    Raises:
        ConfigError: an indispensable private name is missing.
    """
    if absent := missing([NODE]):
        raise ConfigError([Problem("crossbar", _refusal(list(map(str, absent))))])


def report() -> tuple[list[str], bool]:
    """A sentence for each part of the node, and whether the node starts."""
    with deferred():
        import crossbar

        if quietly := getattr(crossbar, "_import_serializers_quietly", None):
            quietly()
        absent = missing()
    sentences = [versions()]
    for part, number in Counter(name.part for name in PRIVATE_NAMES).items():
        gone = [str(name) for name in absent if name.part == part]
        if not gone:
            sentences.append(f"on   {part} ({number} private names)")
        elif part == NODE:
            sentences.append(f"off  {_refusal(gone)}")
        else:
            sentences.append(
                f"off  {part} (there is no {', '.join(gone)}); Crossbar's own way is taken, which is slower"
            )
    return sentences, not any(name.part == NODE for name in absent)


def _refusal(absent: list[str]) -> str:
    return (
        f"the node does not start with {versions()} (there is no {', '.join(absent)}): install the versions of the lock"
    )
