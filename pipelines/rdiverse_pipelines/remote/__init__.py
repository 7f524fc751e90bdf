"""From a desk to a cluster: compile, look whether everything is there, send, ask how it goes."""
