"""Says what the dashboard says in the language of the person who reads it."""
