"""The folders of the three packages stay small enough to read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "node/stork_node", ROOT / "node/stork_crossbar", ROOT / "components/stork_components")
MOST_MODULES = 15


def test_no_folder_has_more_than_15_modules() -> None:
    folders = [folder for package in PACKAGES for folder in [package, *package.rglob("*/")] if folder.is_dir()]
    counted = {
        str(folder.relative_to(ROOT)): len({*folder.glob("*.py")} - {folder / "__init__.py"}) for folder in folders
    }
    assert sum(counted.values()) > 200
    assert {folder: count for folder, count in counted.items() if count > MOST_MODULES} == {}
