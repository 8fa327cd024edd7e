import json
import shutil

from stork_node.config import configuration
from stork_node.config.hidden_files import hidden_files
from tests.gateway import ROOT


def test_a_file_with_the_name_of_a_path_is_hidden(tmp_path):
    folder = shutil.copytree(ROOT / ".crossbar", tmp_path / "crossbar", ignore=shutil.ignore_patterns("__pycache__"))
    assert list(hidden_files(configuration.load(folder, {}))) == []
    (folder / "web" / "up").write_text("")
    (folder / "web" / "ws").mkdir()
    (folder / "web" / "other").write_text("")
    web = folder / "web"
    assert list(hidden_files(configuration.load(folder, {}))) == [
        f"{web}/up is not served: the path /up belongs to stork_components.pusher.Health",
        f"{web}/ws is not served: the path /ws belongs to a service of the type websocket",
    ]


def test_a_port_without_a_page_hides_nothing(tmp_path):
    folder = shutil.copytree(ROOT / ".crossbar", tmp_path / "crossbar", ignore=shutil.ignore_patterns("__pycache__"))
    config = json.loads((folder / "config.json").read_text())
    del config["workers"][0]["transports"][0]["paths"]["/"]
    (folder / "config.json").write_text(json.dumps(config))
    assert list(hidden_files(configuration.load(folder, {}))) == []
