"""The measuring: what to run, the fresh interpreters that run it, and the noise they saw."""
