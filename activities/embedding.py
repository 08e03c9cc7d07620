"""From texts to vectors: an endpoint, an ONNX model in a folder, or the lexical embedder that is always there.

Runs in activities, and live. Retries are Temporal's; keys come from the environment and are kept out of ids.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import httpx
import numpy as np

from activities.failures import classify
from activities.lexical import LexicalEmbedder
from agents.errors import ProviderRefused, ServiceUnavailable, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEXICAL = "lexical"
OPENAI_URL = "https://api.openai.com/v1"
TIMEOUT = 60.0
# The most texts in one request: below the limit of every server that speaks the protocol.
BATCH = 64
LONGEST_TEXT = 512


class Embedder(Protocol):
    """`id` is stored with each collection, and vectors of two ids are never compared.

    A `lexical` embedder compares words, not meanings; hybrid search then trusts the keywords more.
    """

    @property
    def id(self) -> str: ...

    @property
    def lexical(self) -> bool: ...

    async def dimensions(self) -> int:
        """The length of each vector; an endpoint's is learned from a first call."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in order."""


def embedder(spec: str | None, environ: Mapping[str, str]) -> Embedder:
    """The embedder that `spec` names; the lexical one when it names none. Raises UnknownModel."""
    if spec is None or spec == LEXICAL:
        return LexicalEmbedder()
    if spec.startswith("onnx:"):
        return OnnxEmbedder(Path(spec.removeprefix("onnx:")))
    if spec.startswith("openai:"):
        key = environ.get("OPENAI_API_KEY")
        if not key:
            raise UnknownModel(f"Embedding model {spec!r} needs a key: set OPENAI_API_KEY for the worker.")
        url = environ.get("OPENAI_BASE_URL") or OPENAI_URL
        return EndpointEmbedder(url, spec.removeprefix("openai:"), key=key)
    parts = urlsplit(spec)
    if parts.scheme in ("http", "https") and parts.hostname and parts.fragment and not parts.username:
        url = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        return EndpointEmbedder(url, parts.fragment, key=environ.get("OPENAI_API_KEY"))
    raise UnknownModel(
        f"Unknown embedding model {spec!r}. Write 'openai:model', 'http://host:port/v1#model' for an "
        f"OpenAI-compatible server, 'onnx:/folder' with model.onnx and tokenizer.json, or {LEXICAL!r}."
    )


class EndpointEmbedder:
    """An OpenAI-compatible `/embeddings`: OpenAI, Ollama, vLLM, text-embeddings-inference and others."""

    lexical = False

    def __init__(self, url: str, model: str, *, key: str | None = None) -> None:
        self.id = f"endpoint:{model}"
        self._url = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._dimensions: int | None = None

    async def dimensions(self) -> int:
        if self._dimensions is None:
            [vector] = await self.embed(["dimension"])
            self._dimensions = len(vector)
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        batches = [list(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        async with httpx.AsyncClient(timeout=TIMEOUT, headers=self._headers) as client:
            return [vector for batch in batches for vector in await self._post(client, batch)]

    async def _post(self, client: httpx.AsyncClient, texts: list[str]) -> list[list[float]]:
        try:
            response = await client.post(self._url, json={"model": self._model, "input": texts})
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise classify(error) from None
        except httpx.TransportError as error:
            raise ServiceUnavailable(
                f"The embedding server at {self._url!r} does not answer ({type(error).__name__})."
            ) from None
        return self._vectors(response, len(texts))

    def _vectors(self, response: httpx.Response, expected: int) -> list[list[float]]:
        try:
            rows = sorted(response.json()["data"], key=lambda row: int(row["index"]))
            vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except (ValueError, KeyError, TypeError):
            vectors = []
        if len(vectors) != expected:
            raise ProviderRefused(
                f"The server at {self._url!r} gave {len(vectors)} vectors for {expected} texts. "
                "Is it an OpenAI-compatible /embeddings, and does it have this model?"
            )
        return vectors


@dataclass(frozen=True)
class OnnxEmbedder:
    """A sentence-transformers model exported to ONNX: `model.onnx` and `tokenizer.json` in `folder`."""

    folder: Path
    lexical = False

    @cached_property
    def id(self) -> str:
        """Named after the folder and the weights, so that a model that was exchanged is noticed."""
        with self._file("model.onnx").open("rb") as weights:
            digest = sha256()
            while block := weights.read(1 << 20):
                digest.update(block)
        return f"onnx:{self.folder.name}:{digest.hexdigest()[:12]}"

    async def dimensions(self) -> int:
        [vector] = await self.embed(["dimension"])
        return len(vector)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._embed, list(texts))

    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [vector for start in range(0, len(texts), BATCH) for vector in self._run(texts[start : start + BATCH])]

    def _run(self, texts: list[str]) -> list[list[float]]:
        encoded = self._tokenizer.encode_batch(texts)
        mask = np.array([row.attention_mask for row in encoded], dtype=np.int64)
        offered = {
            "input_ids": np.array([row.ids for row in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([row.type_ids for row in encoded], dtype=np.int64),
        }
        wanted = {given.name for given in self._session.get_inputs()}
        output = self._session.run(None, {name: rows for name, rows in offered.items() if name in wanted})[0]
        vectors: list[list[float]] = _pooled(np.asarray(output, dtype=np.float32), mask).tolist()
        return vectors

    @cached_property
    def _session(self) -> Any:
        return self._package("onnxruntime").InferenceSession(str(self._file("model.onnx")))

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = self._package("tokenizers").Tokenizer.from_file(str(self._file("tokenizer.json")))
        tokenizer.enable_truncation(LONGEST_TEXT)
        tokenizer.enable_padding()
        return tokenizer

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise UnknownModel(f"Embedding model 'onnx:{self.folder}' has no file {name!r} in its folder.")
        return path

    def _package(self, name: str) -> Any:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            raise UnknownModel(
                f"Embedding model 'onnx:{self.folder}' needs a package that is not installed. "
                "Run `pip install 'perdure[onnx]'` where the worker runs."
            ) from None


def _pooled(output: np.ndarray[Any, np.dtype[np.float32]], mask: np.ndarray[Any, Any]) -> Any:
    """The mean over a text's tokens, unless the model has pooled already; of length one."""
    if output.ndim == 3:  # noqa: PLR2004  texts, tokens, numbers
        counted = mask[:, :, None]
        output = (output * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return output / np.maximum(np.linalg.norm(output, axis=1, keepdims=True), 1e-12)
