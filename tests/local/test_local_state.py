"""Where data live, for root and for everybody else."""

import os
from pathlib import Path

import pytest

from mmptf_local import state
from mmptf_local.processes import CannotStart


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout closed to others, with root's data in a folder of the test."""
    tmp_path.chmod(0o700)
    monkeypatch.delenv("MMPTF_STATE_DIR", raising=False)
    monkeypatch.setattr(state, "checkout", lambda: tmp_path)
    monkeypatch.setattr(state, "ROOT_STATE", tmp_path / "var")
    return tmp_path


def test_an_instance_keeps_its_folder(checkout: Path) -> None:
    folder = state.state_dir()
    assert state.state_dir() == folder
    instance = (checkout / ".local" / "instance").read_text().strip()
    assert folder == (checkout / "var" / instance if os.geteuid() == 0 else checkout / ".local")
    assert checkout.stat().st_mode & 0o777 == 0o700


def test_the_variable_names_another_folder(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPTF_STATE_DIR", str(checkout / "some" / "where"))
    assert state.state_dir() == checkout / "some" / "where"
    assert not (checkout / ".local").exists()


def test_an_instance_file_that_names_no_instance_is_refused(checkout: Path) -> None:
    (checkout / ".local").mkdir()
    (checkout / ".local" / "instance").write_text("../../etc")
    with pytest.raises(CannotStart, match="does not hold an instance id"):
        state.state_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_of_somebody_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPTF_STATE_DIR", "/usr")
    with pytest.raises(CannotStart, match="/usr is not ours to write; set MMPTF_STATE_DIR"):
        state.state_dir()
