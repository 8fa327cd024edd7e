"""The private folder of a process: whose it is, and what is said where there is no place for one."""

import stat
import tempfile

import pytest

from stork_node.errors import ConfigError
from stork_node.readiness import ReadySocket
from stork_node.temporary import make_private_folder


def test_it_is_this_users_alone():
    folder = make_private_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()


def test_where_nothing_can_be_written_a_sentence_says_what_is_wanted(monkeypatch, tmp_path):
    # As in a container whose file system is read-only; tempfile remembers the place that it has found before.
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    sentence = (
        "a folder for temporary files is wanted (where all else is read-only, mount a tmpfs on /tmp): "
        "No usable temporary directory found in "
    )
    for use in (make_private_folder, ReadySocket):
        with pytest.raises(ConfigError) as refused:
            use()
        assert str(refused.value).startswith(sentence)
