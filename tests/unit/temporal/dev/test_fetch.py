from temporal.dev.fetch import fetch_weaviate
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.progress import silent
from temporal.dev.supervisor import Supervisor
from temporal.dev.weaviate_binary import cached_path


async def test_the_cache_folder_follows_xdg_cache_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cached = cached_path(tmp_path / "perdure")
    cached.parent.mkdir(parents=True)
    cached.touch(mode=0o755)

    async with hold_state(tmp_path) as lock, Supervisor(lock, tmp_path / LOCK_NAME) as supervisor:
        found = await fetch_weaviate(supervisor, None, log=tmp_path / "build.log", progress=silent)

    assert found == cached
