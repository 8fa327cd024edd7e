"""The private folder of a process: whose it is, and what is said where there is no place for one."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stork_node.errors import ConfigError
from stork_node.launcher.readiness import ReadySocket
from stork_node.launcher.temporary import PrivateFolder, remove_abandoned


def test_it_is_this_users_alone():
    folder = PrivateFolder()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.remove()


def test_where_nothing_can_be_written_a_sentence_says_what_is_wanted(monkeypatch, tmp_path):
    # As in a container whose file system is read-only; tempfile remembers the place that it has found before.
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    sentence = (
        "a folder for temporary files is wanted (where all else is read-only, mount a tmpfs on /tmp): "
        "No usable temporary directory found in "
    )
    for use in (PrivateFolder, ReadySocket):
        with pytest.raises(ConfigError) as refused:
            use()
        assert str(refused.value).startswith(sentence)


def test_a_start_removes_the_folders_of_killed_processes_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = """
import time
from stork_node.launcher.temporary import PrivateFolder
print(PrivateFolder().path, flush=True)
time.sleep(60)
"""
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        other = Path(process.stdout.readline().strip())
        (other / "node.pid").write_text("1")
        ours = PrivateFolder()
        assert other.is_dir()
        process.kill()
        process.wait()
        PrivateFolder().remove()
    assert not other.exists()
    assert ours.path.is_dir()
    ours.remove()
    assert not ours.path.exists()


def test_only_folders_of_ours_are_removed(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "stork-run-link").symlink_to(target)
    (tmp_path / "stork-run-file").write_text("")
    (tmp_path / "stork-new-begun").mkdir()
    (tmp_path / "stork-run-dead").mkdir()
    remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "stork-new-begun",
        "stork-run-file",
        "stork-run-link",
        "target",
    ]
