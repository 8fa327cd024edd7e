"""``stork up --watch``: loads the application again when its code has changed."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stork_node.launcher import control

_LOOK_S = 0.5
_CONFIG = "config.json"


def application_folders(folder: Path, crossbar: Mapping[str, Any]) -> list[Path]:
    """The folders in which the containers of a configuration look for the application, and its own one."""
    named = [
        Path(entry)
        for worker in crossbar.get("workers", [])
        if worker.get("type") == "container"
        for entry in worker.get("options", {}).get("pythonpath", [])
    ]
    return list(dict.fromkeys(path.resolve() for path in [folder, *named] if path.is_dir()))


class SourceWatch:
    """The Python files below some folders, and a configuration. Hidden folders and environments are left out."""

    def __init__(self, folders: Iterable[Path], config: Path) -> None:
        self._folders, self._config = tuple(folders), config
        self._known = self._look()
        self._pending: set[Path] = set()

    def changes(self) -> set[Path]:
        """
        The files that were changed, added or removed since the last change; empty while something still changes, so
        that an editor or a checkout has finished.
        """
        now = self._look()
        changed = {path for path, _ in self._known.items() ^ now.items()}
        self._known = now
        if changed:
            self._pending |= changed
            return set()
        settled, self._pending = self._pending, set()
        return settled

    def _look(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for path in {self._config, *(file for folder in self._folders for file in _python_files(folder))}:
            try:
                status = path.stat()
            except OSError:
                continue  # removed meanwhile
            found[path] = (status.st_mtime_ns, status.st_size)
        return found


def _python_files(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [
            each
            for each in folders
            if not each.startswith((".", "__pycache__", "node_modules"))
            and not (Path(here, each) / "pyvenv.cfg").exists()
        ]
        yield from (Path(here, file) for file in files if file.endswith(".py"))


class Reloader:
    """
    Looks for changes in a thread of its own, and reloads the nodes of this user that run ``folder``.

    Args:
        say: takes each line for the operator, with its level.
    """

    def __init__(
        self, folder: Path, watch: SourceWatch, environ: Mapping[str, str], say: Callable[[str, str], None]
    ) -> None:
        self._folder, self._watch, self._environ, self._say = folder, watch, environ, say

    def start(self) -> None:
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_LOOK_S):
            self.look()

    def look(self) -> None:
        """Reload if something has changed."""
        changed = self._watch.changes()
        if any(path.name == _CONFIG for path in changed):
            self._say(f"{_CONFIG} has changed: start stork again to use it", "warn")
        sources = sorted(path for path in changed if path.suffix == ".py")
        if sources:
            more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
            self._say(f"{sources[0].name}{more} changed", "info")
            self._reload()

    def _reload(self) -> None:
        for path in control.find_sockets(self._folder, self._environ):
            try:
                for kind, text in control.ask(path, control.RELOAD) or ():
                    self._say(text, "warn" if kind == "error" else "info")
            except control.NodeLost as error:
                self._say(str(error), "warn")
