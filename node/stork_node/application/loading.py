"""Finds the application: ``app:stork`` is the ``stork`` in ``app.py``. Each error is one sentence."""

import importlib
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from stork_node.application.stork import Stork
from stork_node.errors import ConfigError, Problem

_TARGET = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)")


def load(target: str, search_path: str | Path | Sequence[str | Path]) -> Stork:
    """
    Import an application.

    Args:
        target: ``MODULE:NAME``, such as ``app:stork``.
        search_path: the folder that has the module, or several. They come first on ``sys.path``, and stay there:
            modules of the application win over installed ones of the same name.

    Raises:
        ConfigError: one problem, or all problems of its declarations; their paths are file and line, if known.
    """
    found = _TARGET.fullmatch(target)
    if not found:
        raise _problem("", f"{target!r} does not name an application (want MODULE:NAME, such as app:stork)")
    folders = [Path(f).resolve() for f in ([search_path] if isinstance(search_path, str | Path) else search_path)]
    stork = getattr(_import(found["module"], folders), found["name"], None)
    if not isinstance(stork, Stork):
        raise _not_a_stork(sys.modules[found["module"]], found["name"], stork)
    if problems := stork.problems():
        raise ConfigError(problems)
    return stork


def _import(name: str, folders: Sequence[Path]) -> ModuleType:
    before = list(sys.path)
    first = list(dict.fromkeys(map(str, folders)))
    sys.path[:] = [*first, *(entry for entry in before if entry not in first)]
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        sys.path[:] = before
        raise _import_failed(name, folders, error) from error
    file = Path(getattr(module, "__file__", None) or "").resolve()
    if not _is_below(file, folders):
        raise _problem(str(file), f"is the module {name!r} that was imported, and is not in {_listed(folders)}")
    return module


def _import_failed(name: str, folders: Sequence[Path], error: BaseException) -> ConfigError:
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, folders)]
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and not own and (name + ".").startswith(missing + "."):
        there = ", ".join(sorted(path.stem for folder in _own(folders) for path in folder.glob("*.py"))) or "none"
        return _problem(_listed(folders), f"no module {missing!r} (the modules there: {there})")
    if isinstance(error, SyntaxError) and error.filename:
        return _problem(f"{error.filename}:{error.lineno}", f"{type(error).__name__}: {error.msg}")
    said = " ".join(traceback.format_exception_only(error)[-1].split())
    return _problem(f"{own[-1].filename}:{own[-1].lineno}" if own else _listed(folders), said)


def find_folder(app: str, search_path: Sequence[str]) -> Path:
    """
    The first folder of ``search_path`` that has the module of ``app`` (``module:variable``); otherwise the first
    folder.
    """
    return next((Path(entry) for entry in search_path if exists(app, Path(entry))), Path(search_path[0]))


def exists(app: str, folder: Path) -> bool:
    """Whether ``folder`` has the module of ``app``."""
    module = app.partition(":")[0].partition(".")[0]
    return bool(module) and ((folder / f"{module}.py").is_file() or (folder / module / "__init__.py").is_file())


def _is_below(file: str | Path, folders: Iterable[Path]) -> bool:
    return any(Path(file).is_relative_to(folder) for folder in folders)


def _is_own(file: str | Path, folders: Iterable[Path]) -> bool:
    """Whether a file (or a folder) belongs to the application: not to Python, a package, or this library."""
    others = [Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), Path(__file__).resolve().parents[1]]
    return _is_below(file, folders) and not _is_below(file, others)


def _own(folders: Sequence[Path]) -> list[Path]:
    return [folder for folder in folders if _is_own(folder, folders)]


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, _own(folders))) or "an empty search path"


def _not_a_stork(module: ModuleType, name: str, found: object) -> ConfigError:
    storks = ", ".join(sorted(key for key, value in vars(module).items() if isinstance(value, Stork)))
    hint = f"its applications: {storks}" if storks else "want stork = Stork()"
    what = f"{name} is of type {type(found).__name__}, not a Stork" if hasattr(module, name) else f"has no {name!r}"
    return _problem(str(module.__file__), f"{what} ({hint})")


def _problem(path: str, text: str) -> ConfigError:
    return ConfigError([Problem(path, text)])
