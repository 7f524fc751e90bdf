"""`python -m rdiverse.cli`, for child processes."""

from rdiverse.cli import main

main()
