"""The compiled parts; everything else about the package stands in pyproject.toml."""

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
    ],
)
