"""Runs of several methods and seeds that share base model and budget, side by side on one machine."""
