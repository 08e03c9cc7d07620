"""Choosing an embedder, and what an endpoint may answer."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from activities.embedding import BATCH, EndpointEmbedder, OnnxEmbedder, embedder
from activities.lexical import LexicalEmbedder
from agents.errors import ProviderBusy, ProviderRefused, ServiceUnavailable, UnknownModel


class Server(ThreadingHTTPServer):
    """Speaks OpenAI's `/embeddings`: the vector of a text is its length and its number in the request."""

    status = 200
    body: str | None = None
    requests: list[tuple[str | None, dict]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.headers["Authorization"], given))
        rows = [{"index": n, "embedding": [len(text), n, 0.5]} for n, text in enumerate(given["input"])]
        answer = (self.server.body or json.dumps({"data": rows[::-1]})).encode()
        self.send_response(self.server.status)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as opened:
        opened.requests = []
        thread = Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


@pytest.mark.parametrize("spec", [None, "lexical"])
def test_without_a_model_it_is_the_lexical_one(spec: str | None) -> None:
    assert isinstance(embedder(spec, {}), LexicalEmbedder)


def test_an_address_names_the_server_and_the_model() -> None:
    chosen = embedder("http://localhost:11434/v1#nomic-embed-text", {})

    assert isinstance(chosen, EndpointEmbedder)
    assert (chosen.id, chosen.lexical) == ("endpoint:nomic-embed-text", False)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("opnai:small", "Write 'openai:model'"),
        ("http://localhost/v1", "Write 'openai:model'"),
        ("http://user:key@localhost/v1#m", "Write 'openai:model'"),
        ("openai:text-embedding-3-small", "set OPENAI_API_KEY"),
    ],
)
def test_a_spec_that_is_off_is_refused_with_the_remedy(spec: str, words: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        embedder(spec, {})

    assert words in str(caught.value)


async def test_an_endpoint_gives_a_vector_a_text_in_order(server: Server) -> None:
    chosen = embedder(f"{server.url}#small", {"OPENAI_API_KEY": "key"})

    vectors = await chosen.embed(["a", "bbb"])

    assert vectors == [[1.0, 0.0, 0.5], [3.0, 1.0, 0.5]]
    assert server.requests == [("Bearer key", {"model": "small", "input": ["a", "bbb"]})]


async def test_many_texts_go_in_several_requests(server: Server) -> None:
    vectors = await embedder(f"{server.url}#small", {}).embed(["text"] * (BATCH + 1))

    assert len(vectors) == BATCH + 1
    assert [len(given["input"]) for _, given in server.requests] == [BATCH, 1]


async def test_the_dimension_is_learned_once(server: Server) -> None:
    chosen = embedder(f"{server.url}#small", {})

    assert [await chosen.dimensions(), await chosen.dimensions()] == [3, 3]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, ProviderBusy), (503, ServiceUnavailable), (401, ProviderRefused), (404, ProviderRefused)],
)
async def test_a_status_states_its_fate(server: Server, status: int, error: type[Exception]) -> None:
    server.status = status

    with pytest.raises(error):
        await embedder(f"{server.url}#small", {}).embed(["text"])

    assert len(server.requests) == 1


async def test_a_busy_endpoint_says_how_long_to_wait(server: Server) -> None:
    server.status = 429

    with pytest.raises(ProviderBusy) as caught:
        await embedder(f"{server.url}#small", {}).embed(["text"])

    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("body", ["<html>", "{}", '{"data": []}', '{"data": [{"index": 0}]}'])
async def test_an_answer_that_is_no_embedding_is_refused(server: Server, body: str) -> None:
    server.body = body

    with pytest.raises(ProviderRefused, match="0 vectors for 1 texts"):
        await embedder(f"{server.url}#small", {}).embed(["text"])


async def test_an_endpoint_that_is_down_is_named(server: Server) -> None:
    url = server.url.replace(str(server.server_port), "1")

    with pytest.raises(ServiceUnavailable, match=r"http://127\.0\.0\.1:1/v1/embeddings"):
        await embedder(f"{url}#small", {}).embed(["text"])


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match=r"has no file 'model.onnx'"):
        _ = embedder(f"onnx:{tmp_path}", {}).id


def test_a_model_that_was_exchanged_has_another_id(tmp_path: Path) -> None:
    weights = tmp_path / "model.onnx"
    weights.write_bytes(b"one")
    one = OnnxEmbedder(tmp_path).id

    weights.write_bytes(b"two")

    assert OnnxEmbedder(tmp_path).id != one
