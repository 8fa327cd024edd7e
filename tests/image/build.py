"""Images of a test: of this project as a user checks it out, and of what a user derives from that."""

import shutil
import subprocess
from pathlib import Path

from tests.gateway import ROOT
from tests.image.containers import STAND_IN, Containers, own_environ, run

CANARY = "canary-c2b6f0a1-that-no-layer-may-hold"
# What lies about in a working folder, and must not get into an image.
SECRETS = (
    ".env",
    ".git/config",
    ".crossbar/key.priv",
    ".crossbar/node.pid",
    ".stork/log",
    "node/stork_node/.env",
    "id_rsa",
)


def check_out(target: Path) -> Path:
    """A copy of what a checkout has, and of what is new in this one, with secrets of a careless user beside it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    for name in SECRETS:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(CANARY)
    return target


def build_ours(checkout: Path, name: str) -> str:
    """``scripts/image``; returns the last line that it says."""
    builder = {"FALLBACK_BUILDER": str(STAND_IN / "build-image")} if STAND_IN.exists() else {}
    said = run([str(checkout / "scripts/image"), name], timeout_s=900, env=own_environ(**builder))
    return said.splitlines()[-1]


def build_haproxy(containers: Containers, name: str) -> str:
    """The image that compose.yaml names, where a registry is in reach; else Debian's HAProxy on the stand-in."""
    if not containers.confined:
        return "docker.io/library/haproxy:3.0"
    build_derived(containers, Path(__file__).parent / "haproxy", name)
    return name


def build_derived(containers: Containers, folder: Path, name: str) -> None:
    """A folder with a Dockerfile of a user's own."""
    if containers.confined and STAND_IN.exists():
        # Lends the build this machine's certificates and pip settings.
        command = [str(STAND_IN / "build-image"), name, str(folder), "--format", "docker"]
    else:
        command = [containers.program, "build", "--tag", name, str(folder)]
    run(command, timeout_s=300)
