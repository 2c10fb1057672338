"""A model of the GIL: what more threads, processes and cores would give, without measuring."""
