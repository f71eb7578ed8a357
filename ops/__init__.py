"""How Recado is run."""
