"""Print a package of uv.lock as pip asks for it, with its version and the hashes of its wheels: python pinned.py uv"""

import sys
import tomllib
from pathlib import Path

LOCK = Path(__file__).parent.parent / "uv.lock"


def pinned(name: str) -> str:
    [package] = [each for each in tomllib.loads(LOCK.read_text())["package"] if each["name"] == name]
    return " ".join([f"{name}=={package['version']}", *(f"--hash={wheel['hash']}" for wheel in package["wheels"])])


if __name__ == "__main__":
    print(pinned(sys.argv[1]))
