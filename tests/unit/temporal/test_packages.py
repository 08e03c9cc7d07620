"""A distribution that owns a name of ours is found, named, and refused."""

from __future__ import annotations

import sys

import pytest

from temporal.packages import ClashingPackages, clashing, refuse_clashing


@pytest.fixture
def rival(tmp_path, monkeypatch) -> None:
    """An environment in which `openai-agents` is installed."""
    folder = tmp_path / "openai_agents-0.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: openai-agents\nVersion: 0.1\n")
    (folder / "top_level.txt").write_text("agents\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


def test_this_environment_has_none() -> None:
    assert clashing() == []


@pytest.mark.usefixtures("rival")
def test_a_clashing_distribution_is_refused_by_name() -> None:
    with pytest.raises(ClashingPackages, match=r"'agents', as openai-agents does. Uninstall openai-agents"):
        refuse_clashing()
