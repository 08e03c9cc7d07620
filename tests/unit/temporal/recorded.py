"""What was logged, as tests read it."""

from __future__ import annotations

import io
import json
from typing import Any


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]
