"""What runs a model behind a server: the Engine protocol, and its two engines, transformers and vLLM."""
