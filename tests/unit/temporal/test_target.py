"""Where the Temporal server is looked for. No server is called here."""

import pytest

from temporal.settings import InvalidSettings, Settings
from temporal.target import Target, find_target


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(state=tmp_path / "state", _env_file=None)


def test_temporals_own_variables_are_used(settings):
    target = find_target(settings, {"TEMPORAL_ADDRESS": "server:7233", "TEMPORAL_NAMESPACE": "agents"})

    assert (target.address, target.namespace, target.origin) == ("server:7233", "agents", "TEMPORAL_ADDRESS")


def test_a_profile_is_used(settings, tmp_path):
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.staging]\naddress = "staging:7233"\nnamespace = "agents"\n')

    target = find_target(settings, {"TEMPORAL_CONFIG_FILE": str(file), "TEMPORAL_PROFILE": "staging"})

    assert (target.address, target.origin) == ("staging:7233", "Temporal's profile 'staging'")


def test_a_key_turns_tls_on_and_stays_hidden(settings):
    target = find_target(settings, {"TEMPORAL_ADDRESS": "server:7233", "TEMPORAL_API_KEY": "the-key"})

    assert target.options == {"api_key": "the-key", "tls": True}
    assert "the-key" not in repr(target)


def test_an_empty_variable_counts_as_unset(settings):
    empty = dict.fromkeys(["TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_PROFILE"], "")

    target = find_target(settings, {"TEMPORAL_ADDRESS": "server:7233", **empty})

    assert target.options == {}


def test_without_any_of_them_the_usual_port_is_used(settings):
    target = find_target(settings, {})

    assert (target.address, target.namespace, target.origin) == ("localhost:7233", "default", "the default address")


def test_an_unknown_profile_is_told_by_name(settings):
    with pytest.raises(InvalidSettings, match="Profile 'staging' not found"):
        find_target(settings, {"TEMPORAL_PROFILE": "staging"})


def test_a_certificate_that_is_not_there_is_told_by_path(settings):
    environ = {
        "TEMPORAL_ADDRESS": "server:7233",
        "TEMPORAL_TLS_CLIENT_CERT_PATH": "/not/there.pem",
        "TEMPORAL_TLS_CLIENT_KEY_PATH": "/not/there.key",
    }

    with pytest.raises(InvalidSettings, match="/not/there"):
        find_target(settings, environ)


def test_temporal_cloud_has_a_known_web_ui(settings):
    target = find_target(settings, {"TEMPORAL_ADDRESS": "agents.acme.tmprl.cloud:7233"})

    assert target.url_of("research-1") == "https://cloud.temporal.io/namespaces/default/workflows/research-1"


def test_a_run_is_linked_with_its_name_quoted():
    target = Target("server:7233", "agents", "TEMPORAL_ADDRESS", ui_url="http://ui")

    assert target.url_of("a/b c") == "http://ui/namespaces/agents/workflows/a%2Fb%20c"


def test_without_a_known_web_ui_there_is_no_link():
    assert Target("server:7233", "agents", "TEMPORAL_ADDRESS").url_of("research-1") is None
