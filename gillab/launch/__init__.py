"""A fresh interpreter: how it is started, talked to, and ended with all that it started."""
