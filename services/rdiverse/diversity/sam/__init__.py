"""SAM: from a question to the program that solves it, and on to a unit vector (docs/method.md, "SAM")."""
