"""Builds the C core as an extension for Python's stable ABI; the rest is in pyproject.toml."""

from setuptools import setup

setup(
    cffi_modules=["src/build_core.py:core"],
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
