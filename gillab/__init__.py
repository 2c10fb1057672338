"""Threads, processes, subinterpreters or free-threaded Python: measured on your own code."""

__version__ = "0.1.0"
