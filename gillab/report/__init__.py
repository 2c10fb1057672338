"""The forms in which a result is shown: one module a form, and what they share."""
