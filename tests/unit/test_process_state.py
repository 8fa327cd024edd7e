import ast
from collections.abc import Iterator
from pathlib import Path

from stork_node.process_state import reset, singleton
from tests.gateway import ROOT

PRODUCT = ("node/stork_node", "components/stork_components")
# Kept at the module for a reason of its own; all else that changes is found by ``process_state.the``.
ALLOWED = {
    "process_state.py: _made": "the registry itself",
    "caller.py: _CALLERS": "weak: callers of a user's program, which have to be told of a fork",
    "logs.py: _is_replaced": "whether Crossbar was patched in this process, which is not undone",
    "testing.py: Pushing.publisher": "the publisher of a Django process, in whose place a test puts its own",
    "slimming.py: _begun_with": "belongs to a patch, which is not undone: what every WebSocket begins with",
    "slimming.py: _roles": "a cache of constants: the same roles are one object",
}


class Counter:
    def __init__(self) -> None:
        self.value = 0


def test_there_is_one_of_each_class_until_the_reset() -> None:
    first = singleton(Counter)
    first.value = 7
    assert singleton(Counter) is first
    reset()
    assert singleton(Counter).value == 0


def files() -> Iterator[Path]:
    for folder in PRODUCT:
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_no_module_has_state_of_its_own() -> None:
    found = [f"{file.name}: {fault}" for file in files() for fault in _state_of(ast.parse(file.read_text()))]
    assert [each for each in found if each not in ALLOWED] == []


def _classes() -> set[str]:
    trees = [ast.parse(file.read_text()) for file in files()]
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


OUR_CLASSES = _classes()


def _state_of(module: ast.Module) -> Iterator[str]:
    """Names that a ``global`` statement rebinds, empty containers of the module, and attributes set on classes."""
    for node in ast.walk(module):
        if isinstance(node, ast.Global):
            yield from node.names
        for target in node.targets if isinstance(node, ast.Assign) else []:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) in OUR_CLASSES:
                yield ast.unparse(target)
    empty = {name for name, value in _assigned(module) if _is_new_container(value)}
    yield from sorted(empty)


def _assigned(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for statement in module.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            yield statement.target.id, statement.value


def _is_new_container(value: ast.expr) -> bool:
    """An empty container, or a new object of a class that counts or keeps: nothing that stays as it is written."""
    if isinstance(value, ast.Dict | ast.List | ast.Set):
        return not (value.keys if isinstance(value, ast.Dict) else value.elts)
    name = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
    is_empty = isinstance(value, ast.Call) and not value.args and not value.keywords
    return name.endswith(("Counters", "Counter", "WeakSet")) or (is_empty and name in ("dict", "list", "set", "deque"))
