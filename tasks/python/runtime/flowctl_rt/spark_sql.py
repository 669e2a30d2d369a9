"""%sql cells."""
