"""`python -m stanceline`."""

from stanceline.cli import main

main()
