"""Getting the Weaviate server from its official release on GitHub."""

import asyncio
import hashlib
import platform
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import httpx

from temporal.dev.errors import BinaryUnavailableError
from temporal.dev.progress import Progress
from temporal.dev.weaviate_binary import VERSION

RELEASES = "https://github.com/weaviate/weaviate/releases/download"
_TIMEOUT = httpx.Timeout(15, connect=3)  # a closed network shall cost seconds
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_MEGABYTE = 1_000_000


async def download(binary: Path, *, progress: Progress, releases: str = RELEASES) -> None:
    """Download the archive for this machine, check it against its published SHA-256 and unpack it."""
    url = f"{releases}/v{VERSION}/{archive_name()}"
    progress("weaviate", f"downloading {url}")
    with TemporaryDirectory(dir=binary.parent) as folder:
        archive = Path(folder, archive_name())
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True) as client:
                published = (await client.get(f"{url}.sha256")).raise_for_status().text.split()
                await _fetch(client, url, archive, progress)
        except httpx.HTTPError as error:
            raise BinaryUnavailableError(
                f"The release download failed: {error!r}. Check that this machine reaches {url}."
            ) from None
        await asyncio.to_thread(_unpack, archive, published, binary)


def archive_name() -> str:
    """How the release names the archive for this machine."""
    if platform.system() == "Darwin":
        return f"weaviate-v{VERSION}-darwin-all.zip"
    architecture = _ARCHITECTURES.get(platform.machine().lower(), platform.machine())
    return f"weaviate-v{VERSION}-{platform.system().lower()}-{architecture}.tar.gz"


async def _fetch(client: httpx.AsyncClient, url: str, archive: Path, progress: Progress) -> None:
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        size = int(response.headers.get("content-length", 0))
        with archive.open("wb") as file:
            async for block in response.aiter_bytes(_MEGABYTE):
                file.write(block)
                progress("weaviate", f"downloaded {file.tell() // _MEGABYTE} of {size // _MEGABYTE} MB")


def _unpack(archive: Path, published: list[str], binary: Path) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found not in published:
        raise BinaryUnavailableError(
            f"The release download has SHA-256 {found}, but {published} was published. Try again later."
        )
    unpacked = archive.with_name("weaviate")
    with _server_in(archive) as source, unpacked.open("wb") as target:
        shutil.copyfileobj(source, target)
    unpacked.chmod(0o755)
    unpacked.replace(binary)


@contextmanager
def _server_in(archive: Path) -> Iterator[IO[bytes]]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped, zipped.open("weaviate") as server:
            yield server
    else:
        with tarfile.open(archive) as tarred:
            member = next(entry for entry in tarred if entry.isfile() and Path(entry.name).name == "weaviate")
            server_file = tarred.extractfile(member)
            assert server_file is not None  # noqa: S101 -- only of members that are no files
            yield server_file
