"""Where documents come from: a folder, or the documentation that installed packages carry. Reads files: activities only.

The models also travel through workflows, as the input of an ingestion.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class InstalledDocumentation(BaseModel):
    """The documentation in installed distributions: their long descriptions, and README files in their packages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["installed"] = "installed"
    distributions: list[str] | None = None


class Folder(BaseModel):
    """The files under `path`, a folder that the worker can read, whose names match one of `patterns`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: str
    patterns: list[str] = ["**/*.md", "**/*.rst", "**/*.txt"]


Source = Annotated[InstalledDocumentation | Folder, Field(discriminator="kind")]
