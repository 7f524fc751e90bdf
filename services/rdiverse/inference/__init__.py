"""One server for Challenger, Solver, coder and encoder: an engine, typed services in front of it, the role by configuration."""
