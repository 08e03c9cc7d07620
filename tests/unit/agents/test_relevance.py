"""Words that two texts share."""

import pytest

from agents.relevance import coverage, stem, terms, weights, words


@pytest.mark.parametrize(
    "forms",
    [
        ("retry", "retries", "retrying"),
        ("cache", "caches", "cached", "caching"),
        ("timer", "timers"),
        ("stop", "stopped", "stopping"),
        ("process", "processing", "processed"),
    ],
)
def test_the_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["thing", "string", "red", "bus", "axis", "class"])
def test_what_only_looks_like_a_form_keeps_its_letters(word: str) -> None:
    assert stem(word) == word


def test_the_words_that_questions_are_made_of_carry_nothing() -> None:
    assert words("How do I set a timer in Temporal?") == ["timer", "Temporal"]


def test_an_identifier_is_found_by_its_parts() -> None:
    assert {"start", "workflow", "boundlogger", "bound", "logger"} <= terms("start_workflow BoundLogger")


def test_a_word_that_is_everywhere_weighs_less() -> None:
    weight = weights("temporal timer", ["temporal timer", "temporal worker", "temporal client"])

    assert weight["timer"] > weight["temporal"]


def test_coverage_is_the_share_of_the_weight() -> None:
    assert coverage({"one"}, {"one": 1.0, "two": 3.0}) == 0.25
    assert coverage({"one"}, {}) == 0.0
