"""Writes docs/events.schema.json anew: `python scripts/event_schema.py`."""

import json
from pathlib import Path

from activities.events import schema

FILE = Path(__file__).parents[1] / "docs" / "events.schema.json"

if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
