"""The facts services publish: all that they share about each other."""
