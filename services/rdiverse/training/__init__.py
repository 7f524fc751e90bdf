"""GRPO trainers of Challenger and Solver, and how a phase of theirs is launched."""
