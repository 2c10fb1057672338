"""A whole job: items mapped over, from making the pool to its end, and where the time goes."""
