"""Generated from proto/rdiverse/v1 by `make protos`."""
