"""What build_core.py generates; `fsrvp_core.h` is the manual of `lib`."""

from typing import Any

ffi: Any
lib: Any
