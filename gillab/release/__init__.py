"""What one call does with the GIL: it is repeated, the lock is read, the figures are judged."""
