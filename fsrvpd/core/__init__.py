"""The C core as Python sees it: the only package that touches `ffi` and `lib`."""
