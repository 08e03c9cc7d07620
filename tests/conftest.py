"""Fixtures of the whole suite."""

from collections.abc import AsyncIterator

import pytest

from temporal.dev.stack import Stack, open_stack


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One Temporal and one Weaviate for all tests that ask; a run without such tests starts neither."""
    async with open_stack(tmp_path_factory.mktemp("state")) as opened:
        yield opened
