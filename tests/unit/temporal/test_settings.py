"""The settings: where they come from, and how a wrong one is refused."""

import os
from pathlib import Path

import pytest

from temporal.settings import InvalidSettings, describe, read_environment, read_settings


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PERDURE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_a_nested_setting_is_written_with_two_underscores(monkeypatch, env_file):
    monkeypatch.setenv("PERDURE_WEAVIATE__URL", "http://store:8080/")

    settings = read_settings(env_file)

    assert settings.weaviate.url == "http://store:8080"


def test_the_environment_is_stronger_than_the_file(monkeypatch, env_file):
    env_file.write_text("PERDURE_MODEL=ollama:qwen3\nPERDURE_TASK_QUEUE=from-file\n")
    monkeypatch.setenv("PERDURE_MODEL", "openai:gpt-5-mini")

    settings = read_settings(env_file)

    assert (settings.model, settings.task_queue) == ("openai:gpt-5-mini", "from-file")


def test_an_empty_variable_counts_as_unset(monkeypatch, env_file):
    monkeypatch.setenv("PERDURE_MODEL", "")

    settings = read_settings(env_file)

    assert settings.model is None


def test_variables_of_others_may_stand_in_the_file(env_file):
    env_file.write_text("OPENAI_API_KEY=sk-of-the-vendor\nTEMPORAL_ADDRESS=server:7233\n")

    read_settings(env_file)

    assert read_environment(env_file)["TEMPORAL_ADDRESS"] == "server:7233"


def test_an_unknown_variable_is_refused_with_the_closest_name(monkeypatch, env_file):
    monkeypatch.setenv("PERDURE_MODLE", "extractive")

    with pytest.raises(InvalidSettings, match=r"Unknown setting PERDURE_MODLE. Did you mean PERDURE_MODEL\?"):
        read_settings(env_file)


def test_an_unknown_line_of_the_file_is_refused(env_file):
    env_file.write_text("PERDURE_WORKER__MAX_ACTIVITIES=3\n")

    with pytest.raises(InvalidSettings, match=r"Did you mean PERDURE_WORKER__MAX_CONCURRENT_ACTIVITIES\?"):
        read_settings(env_file)


def test_a_bad_value_is_told_by_variable_value_and_expectation(monkeypatch, env_file):
    monkeypatch.setenv("PERDURE_LOG__FORMAT", "xml")

    with pytest.raises(InvalidSettings) as refused:
        read_settings(env_file)

    assert str(refused.value) == "PERDURE_LOG__FORMAT='xml' can't be used: expected 'auto', 'console' or 'json'."


def test_all_bad_values_are_told_at_once(monkeypatch, env_file):
    monkeypatch.setenv("PERDURE_DEV__UI_PORT", "70000")
    monkeypatch.setenv("PERDURE_WEAVIATE__URL", "store:8080")

    with pytest.raises(InvalidSettings) as refused:
        read_settings(env_file)

    assert [line.partition("=")[0] for line in str(refused.value).splitlines()] == [
        "PERDURE_WEAVIATE__URL",
        "PERDURE_DEV__UI_PORT",
    ]


def test_secrets_are_masked_where_settings_are_shown(monkeypatch, env_file):
    monkeypatch.setenv("PERDURE_WEAVIATE__API_KEY", "the-key")
    settings = read_settings(env_file)

    rows = {row.variable: row for row in describe(settings, env_file)}

    assert rows["PERDURE_WEAVIATE__API_KEY"].value == "***"
    assert "the-key" not in repr(settings)


def test_each_setting_says_where_it_comes_from(monkeypatch, env_file):
    env_file.write_text("PERDURE_STATE=elsewhere\n")
    monkeypatch.setenv("PERDURE_MODEL", "extractive")

    rows = {row.variable: row.origin for row in describe(read_settings(env_file), env_file)}

    assert (rows["PERDURE_MODEL"], rows["PERDURE_STATE"], rows["PERDURE_EMBEDDING"]) == (
        "environment",
        ".env",
        "default",
    )


def test_the_password_of_a_stream_is_shown_nowhere(monkeypatch, env_file):
    monkeypatch.setenv("PERDURE_STREAM__URL", "redis://user:canary@host:6379/0")
    rows = {row.variable: row for row in describe(read_settings(env_file), env_file)}
    monkeypatch.setenv("PERDURE_STREAM__URL", "http://user:canary@host")

    with pytest.raises(InvalidSettings, match="PERDURE_STREAM__URL can't be used: expected a URL") as refused:
        read_settings(env_file)

    assert "canary" not in rows["PERDURE_STREAM__URL"].value
    assert "canary" not in str(refused.value)
