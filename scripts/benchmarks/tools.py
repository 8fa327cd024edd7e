"""The needs of a benchmark on this machine: Debian's packages, Centrifugo from its source, C programs."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = ROOT / "build" / "bench" / "bin"


@dataclass(frozen=True)
class Package:
    """A Debian package, and the file that shows that it is installed: a command, or a path."""

    name: str
    file: str

    def is_installed(self) -> bool:
        found = shutil.which(self.file, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        return found is not None or (Path(self.file).is_absolute() and Path(self.file).exists())


def install_packages(packages: Iterable[Package]) -> None:
    """
    Install those that are missing.

    Raises:
        BenchError: that is not possible here; says what to install by hand.
    """
    missing = sorted({package.name for package in packages if not package.is_installed()})
    if not missing:
        return
    by_hand = f"apt-get install {' '.join(missing)}"
    if not shutil.which("apt-get"):
        raise BenchError(f"{' and '.join(missing)} missing, and no apt-get here: install them by hand")
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    if as_root and not shutil.which("sudo"):
        raise BenchError(f"{' and '.join(missing)} missing: as root, {by_hand}")
    environ = {"DEBIAN_FRONTEND": "noninteractive"}
    run([*as_root, "apt-get", "update", "-qq"], f"apt-get update failed; by hand: {by_hand}")
    run([*as_root, "apt-get", "install", "-y", "-qq", *missing], f"could not install; by hand: {by_hand}", environ)


COMPILER = (Package("gcc", "gcc"), Package("libc6-dev", "/usr/include/stdio.h"))
"""The packages for ``compile_c``."""
WRK = Package("wrk", "wrk")
"""The load of the case ``http``."""


def compile_c(folder: str) -> Path:
    """
    Compile ``folder``/*.c to a program of the same name, unless that is newer.

    Raises:
        BenchError: with the compiler's first line.
    """
    program = PROGRAMS / folder
    sources = sorted((HERE / folder).glob("*.[ch]"))
    if program.exists() and program.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return program
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu17", "-D_GNU_SOURCE"]
    units = [str(source) for source in sources if source.suffix == ".c"]
    run(["gcc", *flags, "-o", str(program), *units], f"gcc could not compile {folder}")
    return program


def go_install(module: str, version: str) -> Path:
    """
    Compile a Go module's program, once; that takes minutes.

    Raises:
        BenchError: no Go here, or no module proxy in reach.
    """
    program = PROGRAMS / f"{module.split('/')[2]}-{version}"
    if program.exists():
        return program
    if not shutil.which("go"):
        raise BenchError(f"{module} needs Go to be compiled: apt-get install golang-go, or leave it out with --peers")
    folder = PROGRAMS / "go"
    run(["go", "install", f"{module}@{version}"], f"could not install {module}@{version}", {"GOBIN": str(folder)})
    (folder / module.split("/")[2]).rename(program)
    return program


def cargo_install(crate: str, version: str, *flags: str) -> Path:
    """
    Compile a crate's program, once; that takes minutes.

    Raises:
        BenchError: no Rust here, or no registry in reach.
    """
    folder = PROGRAMS / f"{crate}-{version}"
    program = folder / "bin" / crate
    if program.exists():
        return program
    if not shutil.which("cargo"):
        raise BenchError(f"{crate} needs Rust to be compiled: apt-get install cargo, or leave it out with --peers")
    command = ["cargo", "install", crate, "--version", version, "--locked", "--root", str(folder), *flags]
    run(command, f"could not install {crate} {version}")
    return program


def run(command: Sequence[str], problem: str, environ: Mapping[str, str] | None = None) -> str:
    """
    Run a command to its end, and return what it said.

    Raises:
        BenchError: ``problem``, with the last line of its errors.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(environ or {})})
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BenchError(f"{problem}: {said[-1] if said else f'status {done.returncode}'}")
    return done.stdout + done.stderr
