"""A folder for what a process needs while it runs, and that nobody else may reach."""

import tempfile
from pathlib import Path

from stork_node.errors import ConfigError, Problem


def make_private_folder() -> Path:
    """
    A new folder that only this user can look into, with a short name: a socket's path has at most 107 bytes.

    Raises:
        ConfigError: this user may not write anywhere where temporary files go.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="stork-"))
    except OSError as error:
        wanted = "a folder for temporary files is wanted (where all else is read-only, mount a tmpfs on /tmp)"
        raise ConfigError([Problem("", f"{wanted}: {error.strerror}")]) from None
