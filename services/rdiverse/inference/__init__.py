"""Challenger, Solver, coder and encoder: one server, the role is configuration."""
