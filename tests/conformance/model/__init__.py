"""Small models of what is promised, searched over all that can happen, and compared with the real thing."""
