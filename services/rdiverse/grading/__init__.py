"""Answer equality, in processes that can be killed."""
