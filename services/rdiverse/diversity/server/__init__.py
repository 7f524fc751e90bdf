"""The diversity service on the wire: translate, authorise, limit."""
