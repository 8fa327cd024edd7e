"""
What makes an image as large as it is: python sizes.py IMAGE.tar (written by docker save).

Prints a Markdown table: the base, Python's packages by size, what is compiled, and the rest.
"""

import json
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

VENV = "opt/stork"
# Packages below this are one row together.
SMALL_BYTES = 5_000_000


def open_layers(archive: str) -> Iterator[tarfile.TarFile]:
    """The layers of an image, the base's first."""
    with tarfile.open(archive) as whole:
        [image] = json.load(whole.extractfile("manifest.json") or sys.exit(f"{archive}: not an image"))
        for name in image["Layers"]:
            with tarfile.open(fileobj=whole.extractfile(name)) as layer:
                yield layer


def read_files(archive: str) -> dict[str, int]:
    """The files of the image by their paths, with their sizes in bytes; a later layer's stands for an earlier one's."""
    return {
        str(PurePosixPath(file.name)): file.size for layer in open_layers(archive) for file in layer if file.isfile()
    }


def group(path: str) -> str:
    """The row of the table to which a file belongs."""
    if not path.startswith(VENV):
        return "application and node" if path.startswith("app/") else "base image"
    if path.endswith(".pyc"):
        return "compiled Python"
    below = path.partition("site-packages/")[2]
    if not below:
        return "virtual environment"
    name = below.split("/")[0].partition(".")[0].partition("-")[0].strip("_")
    return "application and node" if name.startswith("stork_") else name


def rows(sizes: dict[str, int]) -> list[tuple[str, int]]:
    groups: Counter[str] = Counter()
    for path, size in sizes.items():
        groups[group(path)] += size
    large = {name: size for name, size in groups.items() if size >= SMALL_BYTES or " " in name}
    small = {name: size for name, size in groups.items() if name not in large}
    large[f"{len(small)} smaller packages"] = sum(small.values())
    return sorted(large.items(), key=lambda row: -row[1])


def main() -> None:
    found = rows(read_files(sys.argv[1]))
    print("| what | MB |\n|---|---|")
    for name, size in [*found, ("**in all**", sum(size for _, size in found))]:
        print(f"| {name} | {size / 1e6:.0f} |")


if __name__ == "__main__":
    main()
