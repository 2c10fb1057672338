"""Pools made in fresh interpreters: when each worker is ready, and what it takes."""
