"""The user's cache folder, which all checkouts share."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`~/.cache/perdure`, or the same below XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perdure"
