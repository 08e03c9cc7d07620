"""What looks like a key is taken out of text."""

import pytest

from activities.masking import mask_credentials


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key sk-proj-abc123DEF456 was refused", "key *** was refused"),
        ("Incorrect API key provided: sk-abcd***wxyz.", "Incorrect API key provided: ***."),
        ("Authorization: Bearer abcdefghijkl", "Authorization: *** ***"),
        ("http://user:hunter2@host/v1", "http://***@host/v1"),
        ("GET /v1?api_key=abcdef123456&limit=3", "GET /v1?api_key=***&limit=3"),
        ('{"password": "correct-horse"}', '{"password": "***"}'),
        ("GITHUB ghp_abcdefgh12", "GITHUB ***"),
        ("slack xoxb-1234567890", "slack ***"),
        ("aws AKIA1234567890", "aws ***"),
        ("google AIzaSyD-1234567", "google ***"),
        ("hub hf_abcdefghij", "hub ***"),
        ("basic dXNlcjpwYXNz", "basic ***"),
        ("PASSWORD=correct-horse", "PASSWORD=***"),
        ("pa\u017f\u017fword: correct-horse", "pa\u017f\u017fword: ***"),
        ("client_secret=abcdefgh", "client_secret=***"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "token ***"),
    ],
)
def test_a_credential_is_replaced(text, masked):
    assert mask_credentials(text) == masked


@pytest.mark.parametrize("text", ["max_tokens: 128000", "risk-assessment", "http://host:8080/v1#qwen3", "a task-queue"])
def test_other_text_stays_as_it_is(text):
    assert mask_credentials(text) == text
