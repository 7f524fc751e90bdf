"""The rewards of completions."""
