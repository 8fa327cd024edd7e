"""
Defers Crossbar's imports for features that a node does not use, until somebody uses them.

These are web3 with its dependencies (blockchains), NumPy with bjdata (UBJSON), cfxdb (stores in LMDB) and txtorcon
(Tor): half of the CPU time in which a process of a node starts, and 49 MB of its memory. A node needs none of them,
except for one key that Crossbar makes at its start.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

# Whole packages, each with all of what imports it while it is imported itself, other than Crossbar's own code.
UNUSED = frozenset(
    {
        *("ckzg", "ens", "eth_abi", "eth_account", "eth_hash", "eth_keyfile", "eth_keys", "eth_rlp", "eth_typing"),
        *("eth_utils", "hexbytes", "py_ecc", "py_eth_sig_utils", "rlp", "web3"),
        *("bjdata", "cfxdb", "numpy", "txtorcon"),
    }
)


@contextmanager
def deferred(packages: Iterable[str] = UNUSED) -> Iterator[None]:
    """
    In the block, each ``import`` of these packages binds stand-ins, and loads nothing.

    A stand-in becomes the real object when it is used after the block. An import after the block gets the package
    itself. If a package was loaded before, the whole process keeps using it.
    """
    finder = _Finder(frozenset(packages) - sys.modules.keys())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if finder.has(name)]:
            del sys.modules[name]
        finder.is_open = False


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages
        self.is_open = True

    def has(self, name: str) -> bool:
        return name.partition(".")[0] in self._packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if self.has(name) else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _DeferredModule(spec.name, self)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to execute."""


class _DeferredModule(ModuleType):
    def __init__(self, name: str, finder: _Finder) -> None:
        super().__init__(name)
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Deferred(lambda: getattr(importlib.import_module(self.__name__), name), self._finder)


class _Deferred:
    """The result of ``find``: it is looked up when it is used after the block."""

    def __init__(self, find: Callable[[], Any], finder: _Finder) -> None:
        self._find, self._finder = find, finder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._finder.is_open:
            return _Deferred(lambda: getattr(self._find(), name), self._finder)
        return getattr(self._find(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._finder.is_open:
            return _Deferred(lambda: self._find()(*args, **kwargs), self._finder)
        return self._find()(*map(_real, args), **{name: _real(value) for name, value in kwargs.items()})

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self._find())

    def __or__(self, other: Any) -> Any:
        return Any  # in annotations: web3.Web3 | None

    __ror__ = __or__


def _real(value: Any) -> Any:
    return value._find() if isinstance(value, _Deferred) else value
