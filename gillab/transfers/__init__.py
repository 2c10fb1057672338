"""Handing an array to one worker: the ways to do it, the arms that time them, the costs."""
