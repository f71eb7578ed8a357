"""Which processes consume from a database, what each of them runs, and how they wake each other."""
