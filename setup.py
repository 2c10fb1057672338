"""The compiled parts; everything else about the package stands in pyproject.toml."""

import os

from setuptools import Extension, setup

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
                "csrc/gil_sampler.c",
                "csrc/gil_state.c",
                "csrc/platform.c",
            ],
            depends=["csrc/gil_sampler.h", "csrc/gil_state.h", "csrc/platform.h"],
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
