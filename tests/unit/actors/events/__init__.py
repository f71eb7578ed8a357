"""Events to other systems."""
