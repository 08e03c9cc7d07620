import hashlib
import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from temporal.dev import weaviate_release
from temporal.dev.errors import BinaryUnavailableError
from temporal.dev.ports import free_ports
from temporal.dev.progress import silent

ARCHIVE = "weaviate-v1.35.2-linux-amd64.tar.gz"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.fixture
def release(tmp_path, linux):  # noqa: ARG001 -- the machine decides which archive is asked for
    """A folder that looks like the release's, and the URL where it is served."""
    folder = tmp_path / "served" / "v1.35.2"
    folder.mkdir(parents=True)
    publish(folder, b"the server")
    handler = partial(Quiet, directory=str(folder.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def publish(folder: Path, content: bytes) -> None:
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        for name, body in (("LICENSE", b"BSD"), ("weaviate", content)):
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    digest = hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()
    (folder / f"{ARCHIVE}.sha256").write_text(digest)


async def test_the_server_is_taken_out_of_the_archive_and_may_be_run(tmp_path, release):
    _, url = release
    binary = tmp_path / "binary"

    await weaviate_release.download(binary, progress=silent, releases=url)

    assert binary.read_bytes() == b"the server"
    assert binary.stat().st_mode & 0o111


async def test_an_archive_that_is_not_the_published_one_is_refused(tmp_path, release):
    folder, url = release
    (folder / f"{ARCHIVE}.sha256").write_text("0" * 64)

    with pytest.raises(BinaryUnavailableError, match="has SHA-256"):
        await weaviate_release.download(tmp_path / "binary", progress=silent, releases=url)

    assert not (tmp_path / "binary").exists()


async def test_an_archive_without_a_published_digest_is_refused(tmp_path, release):
    folder, url = release
    (folder / f"{ARCHIVE}.sha256").unlink()

    with pytest.raises(BinaryUnavailableError, match="404"):
        await weaviate_release.download(tmp_path / "binary", progress=silent, releases=url)


@pytest.mark.usefixtures("linux")
async def test_a_closed_network_is_told_by_the_address(tmp_path):
    (nobody,) = free_ports(1)

    with pytest.raises(BinaryUnavailableError, match=f"reaches http://127.0.0.1:{nobody}/v1.35.2/{ARCHIVE}"):
        await weaviate_release.download(tmp_path / "binary", progress=silent, releases=f"http://127.0.0.1:{nobody}")


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("Linux", "aarch64", "weaviate-v1.35.2-linux-arm64.tar.gz"),
        ("Darwin", "arm64", "weaviate-v1.35.2-darwin-all.zip"),
        ("Darwin", "x86_64", "weaviate-v1.35.2-darwin-all.zip"),
    ],
)
def test_each_machine_has_its_archive(monkeypatch, system, machine, name):
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)

    assert weaviate_release.archive_name() == name
