"""Lets any process of this user read the one that imports this, where Yama lets only a parent."""

import ctypes
import sys

PR_SET_PTRACER = 0x59616D61

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1 & 2**64 - 1), 0, 0, 0)
