"""
On ``PYTHONPATH``: gives one private name of Crossbar, autobahn and Twisted another name, as an upgrade may.

``RENAMED`` says which. Their own code goes on working, as every place of theirs has the new name.
"""

import importlib.machinery
import os
import re
import sys

_PACKAGES = ("autobahn.", "crossbar.", "twisted.", "xbr.")
_OLD = os.environ.get("RENAMED", "")
_NEW = f"{_OLD}_by_an_upgrade"
_ordinary = importlib.machinery.SourceFileLoader.get_code


def _get_code(loader, fullname):
    if not f"{fullname}.".startswith(_PACKAGES):
        return _ordinary(loader, fullname)
    path = loader.get_filename(fullname)
    source = loader.get_data(path)
    renamed = re.sub(rb"\b%s\b" % re.escape(_OLD.encode()), _NEW.encode(), source)
    return _ordinary(loader, fullname) if renamed == source else compile(renamed, path, "exec", dont_inherit=True)


class _Modules:
    """Finds a module that has another name."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        package, _, name = fullname.rpartition(".")
        if not f"{package}.".startswith(_PACKAGES):
            return None
        if name == _OLD:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if name != _NEW:
            return None
        found = importlib.machinery.PathFinder.find_spec(f"{package}.{_OLD}", path)
        if found is None or found.origin is None:
            return None
        return importlib.util.spec_from_file_location(fullname, found.origin)


if _OLD:
    import importlib.util

    importlib.machinery.SourceFileLoader.get_code = _get_code
    sys.meta_path.insert(0, _Modules)
