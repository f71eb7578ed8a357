"""`recado up`, with real processes that really die."""
