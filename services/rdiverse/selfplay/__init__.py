"""The method, free of files, networks and tensors."""
