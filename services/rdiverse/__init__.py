"""Self-play training of LLM reasoners with a memory of past questions and skill-aware diversity."""
