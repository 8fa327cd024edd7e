"""Finding the application, and one clear sentence for each way in which it cannot be found."""

import os
import subprocess
import sys
import textwrap

import pytest

from stork_node import Stork
from stork_node.application import loading
from stork_node.errors import ConfigError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for an application; what is imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))


def problem_of(target, folder):
    with pytest.raises(ConfigError) as refused:
        loading.load(target, folder)
    (problem,) = refused.value.problems
    assert "\n" not in str(problem)
    return str(problem)


def test_an_application_is_found_by_module_and_name(folder):
    write(folder, app="from stork_node import Stork\nstork = Stork()\nother = Stork()\n")
    stork = loading.load("app:stork", folder)
    assert isinstance(stork, Stork)
    assert loading.load("app:other", str(folder)) is not stork
    assert loading.load("app:stork", [folder, "/nowhere"]) is stork


def test_an_application_may_be_a_module_of_a_package(folder):
    (folder / "shop").mkdir()
    write(folder / "shop", __init__="", live="from .live2 import stork")
    write(folder / "shop", live2="from stork_node import Stork\nstork = Stork()")
    assert isinstance(loading.load("shop.live:stork", folder), Stork)


@pytest.mark.parametrize(
    "target", ["", "app", "app:", ":stork", "app.py:stork.x", "app:stork:x", "a b:c", "../app:stork"]
)
def test_a_target_is_module_and_name(folder, target):
    text = f"{target!r} does not name an application (want MODULE:NAME, such as app:stork)"
    assert problem_of(target, folder) == text


def test_a_missing_module_is_named_with_the_folder_and_its_modules(folder):
    assert problem_of("app:stork", folder) == f"{folder}: no module 'app' (the modules there: none)"
    write(folder, application="", models="")
    text = f"{folder}: no module 'app' (the modules there: application, models)"
    assert problem_of("app:stork", folder) == text
    assert problem_of("shop.app:stork", folder).startswith(f"{folder}: no module 'shop' ")


def test_folders_of_pythons_own_are_not_named(folder):
    text = problem_of("app:stork", [folder, *sys.path])
    assert str(folder) in text
    assert "site-packages" not in text
    assert sys.base_prefix not in text


def test_a_syntax_error_is_named_with_its_line(folder):
    write(folder, app="x = 1\ndef broken(:\n    pass\n")
    assert problem_of("app:stork", folder) == f"{folder}/app.py:2: SyntaxError: invalid syntax"


def test_a_syntax_error_in_another_module_is_named_there(folder):
    write(folder, app="import models", models="x = 1\n  y = 2\n")
    assert problem_of("app:stork", folder) == f"{folder}/models.py:2: IndentationError: unexpected indent"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import app.sub", "ModuleNotFoundError: No module named 'app.sub'; 'app' is not a package"),
        ("import os; os.environ['NO_SUCH_VARIABLE']", "KeyError: 'NO_SUCH_VARIABLE'"),
        ("import json; json.loads('')", "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("raise ValueError", "ValueError"),
    ],
)  # fmt: skip
def test_an_exception_at_import_is_named_with_its_line(folder, line, text):
    write(folder, app=f"x = 1\n{line}\n")
    assert problem_of("app:stork", folder) == f"{folder}/app.py:2: {text}"


def test_an_exception_in_a_module_of_the_application_is_named_there(folder):
    write(folder, app="import models", models="\n\nint('x')")
    text = f"{folder}/models.py:3: ValueError: invalid literal for int() with base 10: 'x'"
    assert problem_of("app:stork", folder) == text


def test_a_declaration_error_is_named_where_the_application_says_it(folder):
    write(
        folder,
        app="""
        from stork_node import Stork
        stork = Stork()
        stork.feed("v1", "orders")
        stork.feed("v1", "orders")
        """,
    )
    app = folder / "app.py"
    text = f"stork_node.errors.DeclarationError: feed v1.orders is declared twice: {app}:4 and {app}:5"
    assert problem_of("app:stork", folder) == f"{app}:5: {text}"


def test_a_name_that_is_missing_is_answered_with_those_that_are_there(folder):
    write(folder, app="from stork_node import Stork\nlive = Stork()\nbeta = Stork()\nx = 1\n")
    assert problem_of("app:stork", folder) == f"{folder}/app.py: has no 'stork' (its applications: beta, live)"
    assert (
        problem_of("app:x", folder) == f"{folder}/app.py: x is of type int, not a Stork (its applications: beta, live)"
    )
    assert problem_of("app:Stork", folder).startswith(f"{folder}/app.py: Stork is of type type, not a Stork")


def test_a_module_without_any_application_is_told_how_to_make_one(folder):
    write(folder, app="")
    assert problem_of("app:stork", folder) == f"{folder}/app.py: has no 'stork' (want stork = Stork())"


def test_a_module_of_the_same_name_from_elsewhere_is_not_used(folder):
    import json

    write(folder, json="from stork_node import Stork\nstork = Stork()\n")
    text = f"{json.__file__}: is the module 'json' that was imported, and is not in {folder}"
    assert problem_of("json:stork", folder) == text


def test_an_import_that_failed_leaves_the_search_path_as_it_was(folder):
    before = list(sys.path)
    problem_of("app:stork", folder)
    assert sys.path == before
    write(folder, app="from stork_node import Stork\nstork = Stork()\n")
    loading.load("app:stork", folder)
    assert sys.path == [str(folder), *before]


def test_it_says_what_is_wrong_with_the_declarations(folder):
    write(folder, app='from stork_node import Stork\nstork = Stork()\nstork.feed("v1", "orders").verify("admin")\n')
    with pytest.raises(ConfigError) as refused:
        loading.load("app:stork", folder)
    (problem,) = refused.value.problems
    assert problem.path == f"{folder}/app.py:3"
    assert problem.text.startswith("feed v1.orders asks the verifier 'admin', which is not declared")


def test_an_application_may_have_packages_named_components_and_node(folder, pytestconfig):
    """Even in a process that was started in this repository, whose folders have these names."""
    for package in ("components", "node"):
        (folder / package).mkdir()
        write(folder / package, __init__=f"name = 'my {package}'")
    write(
        folder,
        app="import components, node\nfrom stork_node import Stork\nstork = Stork()\nprint(components.name, node.name)",
    )
    script = "import sys; from stork_node.application import loading; loading.load('app:stork', sys.argv[1])"
    environ = {**os.environ, "PYTHONPATH": str(pytestconfig.rootpath), "PYTHONDONTWRITEBYTECODE": "1"}
    loaded = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True, text=True, timeout=60, check=False, cwd=pytestconfig.rootpath, env=environ,
    )  # fmt: skip
    assert (loaded.returncode, loaded.stdout, loaded.stderr) == (0, "my components my node\n", "")
