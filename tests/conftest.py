"""What every test file needs."""

from hypothesis import settings

# A slow example on a busy machine is no failure: no test asserts time.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["pytester"]
