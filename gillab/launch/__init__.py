"""A fresh interpreter: starting it, talking with it, ending it with all that it started."""
