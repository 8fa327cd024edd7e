"""
Take out of this environment what a node never loads: python prune.py never-loaded.txt setup.txt

The packages of setup.txt, which installed the others, go as well, unless a distribution that stays requires them.
Requirements for what is gone are taken out of the metadata of what stays, so that pip, in a derived image, has nothing
to complain of.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, distributions
from pathlib import Path

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirement: str) -> str:
    """The distribution that a line of Requires-Dist, or of setup.txt, names."""
    found = _NAME.match(requirement)
    return canonical(found[0]) if found else ""


def read_list(file: Path) -> tuple[list[str], list[str]]:
    """The distributions and the patterns of never-loaded.txt."""
    lines = [line.split()[0] for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [line for line in lines if "/" not in line], [line for line in lines if "/" in line]


def installed() -> dict[str, Distribution]:
    return {canonical(each.metadata["Name"]): each for each in distributions(path=[str(SITE_PACKAGES)])}


def build_tools(setup: Path) -> list[str]:
    """The packages of setup.txt that no other installed package requires."""
    tools = {required(line) for line in setup.read_text().splitlines() if "==" in line}
    wanted = {
        required(requirement)
        for name, each in installed().items()
        if name not in tools
        for requirement in each.requires or []
        if "extra ==" not in requirement
    }
    return sorted(tools - wanted)


def uninstall(names: list[str]) -> None:
    if missing := sorted(set(names) - installed().keys()):
        sys.exit(f"prune: not installed, so take it out of the list: {', '.join(missing)}")
    subprocess.run([sys.executable, "-m", "pip", "uninstall", "--yes", "--quiet", *names], check=True)  # noqa: S603  # names of the list
    for each in installed().values():
        forget_requirements(SITE_PACKAGES / each._path / "METADATA", set(names))  # type: ignore[attr-defined]


def forget_requirements(metadata: Path, names: set[str]) -> None:
    prefix = "Requires-Dist: "
    lines = metadata.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not (line.startswith(prefix) and required(line.removeprefix(prefix)) in names)]
    if kept != lines:
        metadata.write_text("".join(kept))


def delete(pattern: str) -> None:
    found = [path for path in SITE_PACKAGES.glob(pattern) if path.exists()]
    if not found:
        sys.exit(f"prune: {pattern} finds nothing, so take it out of the list")
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()


def main() -> None:
    names, patterns = read_list(Path(sys.argv[1]))
    uninstall(sorted({*names, *build_tools(Path(sys.argv[2]))}))
    for pattern in patterns:
        delete(pattern)


main()
