"""One of our models at several weights of its smoothness, on the same pairs."""
