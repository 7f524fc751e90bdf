"""`python -m rdiverse.cli`, for child processes."""

from rdiverse.cli import main

# vLLM starts processes that import this module again.
if __name__ == "__main__":
    main()
