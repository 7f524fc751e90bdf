"""What answers on the wire: each servicer translates between messages and an engine."""
