"""Chat models by name. No provider is called here."""

import pytest

from activities.providers import chat_model, resolve_model
from agents.errors import UnknownModel
from agents.extractive import ExtractiveModel

KEY = "sk-the-key-of-a-test"
OPENAI = {"OPENAI_API_KEY": KEY}


def test_without_a_name_the_provider_whose_key_is_there_is_used():
    assert resolve_model(None, OPENAI).startswith("openai:")
    assert resolve_model(None, {"ANTHROPIC_API_KEY": KEY}).startswith("anthropic:")


def test_without_a_name_and_a_key_the_built_in_model_is_used():
    assert resolve_model(None, {}) == "extractive"


def test_an_empty_key_is_no_key():
    assert resolve_model(None, {"OPENAI_API_KEY": ""}) == "extractive"


@pytest.mark.parametrize("name", ["extractive", "openai:gpt-5-mini", "ollama:qwen3:8b", "http://host:8000/v1#qwen3"])
def test_a_name_is_its_own_id(name):
    assert resolve_model(name, OPENAI) == name


@pytest.mark.parametrize("name", ["gpt-5", "openai:", "openia:gpt-5", ""])
def test_an_unknown_name_is_refused_with_what_there_is(name):
    with pytest.raises(UnknownModel, match="Known: 'anthropic', 'ollama', 'openai'"):
        resolve_model(name, OPENAI)


def test_an_address_without_a_model_is_refused():
    with pytest.raises(UnknownModel, match="end the address with '#' and its name"):
        resolve_model("http://host:8000/v1", {})


@pytest.mark.parametrize("address", ["http://me:hunter2@host/v1#m", "http://host/v1?api_key=hunter2#m"])
def test_an_address_with_a_secret_is_refused_without_telling_it(address):
    with pytest.raises(UnknownModel, match="put the key into OPENAI_API_KEY") as refused:
        resolve_model(address, {})

    assert "hunter2" not in str(refused.value)


def test_the_built_in_model_needs_nothing():
    assert isinstance(chat_model("extractive", {}), ExtractiveModel)


def test_a_missing_key_is_told_by_its_variable():
    with pytest.raises(UnknownModel, match="OPENAI_API_KEY is not set"):
        chat_model("openai:gpt-5-mini", {})


def test_a_missing_package_is_told_with_what_to_install():
    with pytest.raises(UnknownModel, match=r"pip install 'perdure\[ollama\]'"):
        chat_model("ollama:qwen3", {})


def test_a_vendor_does_not_retry_by_itself():
    model = chat_model("openai:gpt-5-mini", OPENAI)

    assert model.max_retries == 0


def test_streamed_calls_report_their_tokens():
    model = chat_model("http://127.0.0.1:1/v1#m", {})

    assert model.stream_usage is True


def test_the_key_is_not_shown():
    assert KEY not in repr(chat_model("openai:gpt-5-mini", OPENAI))


def test_a_compatible_server_needs_no_key():
    model = chat_model("http://127.0.0.1:1/v1#qwen3", {})

    assert (model.openai_api_base, model.model_name) == ("http://127.0.0.1:1/v1", "qwen3")
