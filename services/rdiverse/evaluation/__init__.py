"""Benchmarks and honest scoring."""
