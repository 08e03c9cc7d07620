"""`python -m temporal.cli`: how the embedded stack starts its worker."""

from temporal.cli import main

main()
