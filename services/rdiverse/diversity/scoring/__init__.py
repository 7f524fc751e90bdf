"""What the service does, in plain dataclasses: scores a batch, finds neighbours, commits. Nothing here knows the wire."""
