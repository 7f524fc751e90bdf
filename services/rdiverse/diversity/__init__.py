"""How new is a question: SAM and the MAP memory behind gRPC."""
