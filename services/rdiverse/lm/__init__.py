"""A language model in this process, from its folder to its tokens and vectors. Knows no server and no trainer."""
