"""Files of this distribution other than Python: beside the package in a wheel, in the repository in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_REPOSITORY = _PACKAGE.parent.parent


def template_folder() -> Path:
    """The ``.crossbar/`` that ``stork init`` copies: config.json, app.py, web/."""
    return _find("template", ".crossbar")


def javascript_folder() -> Path:
    """The folder with stork.js."""
    return _find("js", "node/js")


def push_script(suffix: str) -> Path | None:
    """scripts/push.php or scripts/push.py; there only in a checkout."""
    script = _REPOSITORY / f"scripts/push.{suffix}"
    return script if script.is_file() else None


def _find(in_wheel: str, in_checkout: str) -> Path:
    packaged = _PACKAGE / in_wheel
    return packaged if packaged.is_dir() else _REPOSITORY / in_checkout
