"""GRPO trainers and what launches them."""
