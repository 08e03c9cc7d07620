"""How the stack tells its caller what it is doing. It prints nothing itself."""

from collections.abc import Callable

Progress = Callable[[str, str], None]
"""Called with a component, such as "weaviate", and a short message, such as "ready after 2.4 s"."""


def silent(_component: str, _message: str) -> None:
    """Tell nobody."""
