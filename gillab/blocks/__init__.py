"""The paired blocks: which arms there are, how they are run, and what follows from their times."""
