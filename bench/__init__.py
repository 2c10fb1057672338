"""gillab against its peers and against the limit: ``python -m bench``, from a checkout.

Every figure compares two things that ran side by side in one run. What one of them takes alone
is shown to read the ratio by; on a machine that others share it says little.
"""
