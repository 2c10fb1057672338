"""The compiled parts; everything else about the package stands in pyproject.toml."""

import os

from setuptools import Extension, setup

SAMPLER = (
    "gil_profile",
    "gil_sampler",
    "gil_state",
    "gil_waiters",
    "other_process",
    "pace",
    "platform",
    "python_frames",
    "python_layout",
    "thread_states",
)

setup(
    ext_modules=[
        # The .pyx goes in as it is, without cythonize(), so that the sdist keeps it.
        Extension(
            "gillab.kernels._native",
            sources=["gillab/kernels/_native.pyx", "csrc/countdown.c"],
            depends=["csrc/barrier.h", "csrc/countdown.h"],
            include_dirs=["csrc"],
            # Without module state Cython's own_gil promise is silently not kept.
            define_macros=[("CYTHON_USE_MODULE_STATE", "1")],
        ),
        Extension(
            "gillab.meter._sampler",
            sources=[
                "gillab/meter/_sampler.pyx",
                *(f"csrc/{name}.c" for name in SAMPLER),
            ],
            depends=[f"csrc/{name}.h" for name in SAMPLER],
            include_dirs=["csrc"],
            define_macros=[("CYTHON_USE_MODULE_STATE", "1")],
            # MSVC has C11 atomics behind an option and does without; the others have them.
            extra_compile_args=[] if os.name == "nt" else ["-std=gnu11"],
            libraries=[] if os.name == "nt" else ["pthread"],
        ),
        Extension(
            "gillab._repeat",
            sources=["gillab/_repeat.pyx", "csrc/platform.c"],
            depends=["csrc/platform.h"],
            include_dirs=["csrc"],
            define_macros=[("CYTHON_USE_MODULE_STATE", "1")],
            extra_compile_args=[] if os.name == "nt" else ["-std=gnu11"],
            libraries=[] if os.name == "nt" else ["pthread"],
        ),
    ],
)
