"""The shims stand where LangGraph and LangChain draw ids, time and randomness, and nowhere else."""

import importlib
import pkgutil
import random
import time
import uuid
import warnings
from contextlib import suppress
from datetime import UTC

import langchain_core.language_models.chat_models
import pytest

from workflows import determinism

determinism.install()


@pytest.mark.parametrize("site", [*determinism.SITES, *determinism.DEEPAGENTS_SITES])
def test_a_site_holds_a_stand_in(site) -> None:
    module, _, name = site.rpartition(".")

    assert any(getattr(importlib.import_module(module), name) is each for each in determinism.STAND_INS.values())


def test_no_name_that_draws_ids_or_time_is_left_out() -> None:
    for library in determinism.LIBRARIES:
        load_all(library)

    assert list(determinism.unlisted()) == []


def load_all(package: str) -> None:
    """With what its modules hold, but those that need a package that is not there."""
    with warnings.catch_warnings(action="ignore"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.", onerror=str):
            with suppress(ImportError):
                importlib.import_module(module.name)


def test_a_library_that_moves_a_site_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("langgraph.graph.message.uuid", "something else")

    with pytest.raises(RuntimeError, match=r"langgraph\.graph\.message\.uuid is not what it was"):
        determinism.install()


def test_installing_twice_changes_nothing() -> None:
    before = langchain_core.language_models.chat_models
    determinism.install()

    assert before is langchain_core.language_models.chat_models
    assert determinism.uuid4().version == 4


def test_outside_a_workflow_ids_and_time_are_the_real_ones() -> None:
    assert determinism.uuid4() != determinism.uuid4()
    assert determinism.uuid6() < determinism.uuid6()
    assert determinism.uuid7().version == 7
    assert abs(determinism.time_ns() - time.time_ns()) < 60e9
    assert determinism.WorkflowDatetime.now(UTC).tzinfo is UTC


def test_the_standard_library_is_left_alone() -> None:
    assert uuid.uuid4 is not determinism.uuid4
    assert time.time is not determinism.time_seconds
    assert random.random.__self__.__class__ is random.Random
