"""RESULTS.md keeps what is told of parts that were not run."""

from benchmarks.results import merged

ORDER = ["One", "Two", "Three"]


def test_a_part_that_was_run_takes_the_place_of_what_was_told_of_it():
    before = "# One\n\nold\n\n## Details\n\nof one\n\n# Two\n\nof two\n"

    text = merged(before, {"One": "new"}, ORDER)

    assert text == "# One\n\nnew\n\n# Two\n\nof two\n"


def test_a_new_part_comes_in_its_order():
    text = merged("# Three\n\nof three\n", {"One": "of one"}, ORDER)

    assert text == "# One\n\nof one\n\n# Three\n\nof three\n"


def test_what_is_written_again_is_the_same():
    text = merged("", {"Two": "of two\n\n## Details", "One": "of one"}, ORDER)

    assert merged(text, {}, ORDER) == text
