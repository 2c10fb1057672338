"""What every test file needs."""

import signal

from hypothesis import settings

# A script's background jobs, the tests perhaps, are started with Ctrl-C ignored, and so would be
# what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow example on a busy machine is no failure: no test asserts time.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["pytester"]
