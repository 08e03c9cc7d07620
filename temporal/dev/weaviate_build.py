"""Building the Weaviate server from its published source, where no binary can be downloaded."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from temporal.dev.errors import BinaryUnavailableError
from temporal.dev.go_toolchain import find_go
from temporal.dev.process import Command, tail
from temporal.dev.progress import Progress
from temporal.dev.supervisor import Supervisor
from temporal.dev.weaviate_binary import VERSION

MODULE = f"github.com/weaviate/weaviate/cmd/weaviate-server@v{VERSION}"
_PACKAGES = 1740  # that the server is made of, Go's own included
_DISK_NEEDED = 5_000_000_000  # bytes, most of them given back
_REPORT_EVERY = 2.0  # seconds


class Build:
    """One build, with Go caches of its own that are removed once it worked.

    They stay where it did not, so that the next attempt goes on instead of beginning again. A user's own Go
    caches are left alone.
    """

    def __init__(self, supervisor: Supervisor, *, cache: Path, log: Path, progress: Progress) -> None:
        self._supervisor = supervisor
        self._cache = cache
        self._scratch = cache / "build"
        self._log = log
        self._progress = progress
        self._began = time.monotonic()

    async def __call__(self, binary: Path) -> None:
        """Build it and put it at `binary`."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._require_disk()
        self._progress("weaviate", "building it from source, once for this machine; this takes minutes")
        go = await find_go(self._scratch / "toolchain", cache=self._cache, run=self._install)
        compiling = (str(go), "install", "-v", "-trimpath", "-ldflags=-s -w", MODULE)
        await self._run(compiling, self._how_far)
        (self._scratch / "bin" / "weaviate-server").replace(binary)
        await asyncio.to_thread(shutil.rmtree, self._scratch)

    def _require_disk(self) -> None:
        free = shutil.disk_usage(self._scratch).free
        if free < _DISK_NEEDED:
            raise BinaryUnavailableError(
                f"The build needs {_DISK_NEEDED / 1e9:.0f} GB in {str(self._scratch)!r} for a while, and "
                f"{free / 1e9:.1f} GB are free. Make room, or set XDG_CACHE_HOME to a larger disk."
            )

    async def _install(self, arguments: tuple[str, ...]) -> None:
        await self._run(arguments, lambda: "installing a Go toolchain")

    async def _run(self, arguments: tuple[str, ...], how_far: Callable[[], str]) -> None:
        child = await self._supervisor.run(
            Command(
                name="The build of Weaviate",
                arguments=("nice", "-n", "10", *arguments),
                environment=self._environment(),
                log=self._log,
                folder=self._scratch,
            )
        )
        while child.exit_code is None:
            self._progress("weaviate", f"building: {how_far()}, {_duration(time.monotonic() - self._began)}")
            await child.ended_within(_REPORT_EVERY)
        if child.exit_code != 0:
            raise BinaryUnavailableError(
                f"The build failed with exit code {child.exit_code}. The end of {str(self._log)!r}:\n"
                f"{tail(self._log)}\nThe next start goes on from where it stopped, in {str(self._scratch)!r}."
            )

    def _environment(self) -> dict[str, str]:
        """Keep the user's proxies, certificates and mirrors. `go` runs nothing of what it builds."""
        return {
            **{name: value for name, value in os.environ.items() if name != "GOROOT"},
            "CGO_ENABLED": "0",
            "GOBIN": str(self._scratch / "bin"),
            "GOCACHE": str(self._scratch / "cache"),
            "GOMODCACHE": str(self._scratch / "modules"),
            "GOPATH": str(self._scratch / "path"),
            "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip(),
            "GOTOOLCHAIN": "local",
        }

    def _how_far(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        compiled = sum(not line.startswith("go: ") for line in lines)
        return f"{compiled} of about {_PACKAGES} packages" if compiled else f"{len(lines)} modules fetched"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s"
