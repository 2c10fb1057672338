"""Experiments that vary one thing: workers, or the size of a task."""
