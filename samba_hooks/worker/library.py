"""A library of Samba in a worker, through cffi's ABI mode.

Symbols of the libraries below it, Samba's private ones included, are found through the same
handle. Text is str; bytes that are not UTF-8 survive both ways. Most functions of Samba need a
talloc stackframe: `Library.frame`.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator

from cffi import FFI

from fsrvpd.errors import RegistryError

LOCATION = b"fsrvpd"  # the caller's location, for talloc and tevent

# The same in Samba 4.13 to 4.25.
_DECLARATIONS = """
typedef void TALLOC_CTX;
struct loadparm_context;
struct loadparm_s3_helpers;

TALLOC_CTX *_talloc_stackframe(const char *location);
int _talloc_free(void *memory, const char *location);

typedef void (*debug_callback_fn)(void *private_ptr, int level, const char *msg);
void debug_set_callback(void *private_ptr, debug_callback_fn fn);
bool debug_parse_levels(const char *levels);

const char *get_dyn_CONFIGFILE(void);
struct loadparm_context *loadparm_init_s3(TALLOC_CTX *mem,
                                          const struct loadparm_s3_helpers *helpers);
const struct loadparm_s3_helpers *loadparm_s3_helpers(void);
bool lpcfg_set_cmdline(struct loadparm_context *ctx, const char *name, const char *value);
"""


def ffi_of(declarations: str) -> FFI:
    """Declarations of a library, after those that every library of Samba needs."""
    ffi = FFI()
    ffi.cdef(_DECLARATIONS + declarations)
    return ffi


class Library:
    """`ffi` declares what is called; `name` is the library's.

    Raises: RegistryError if it cannot be loaded or lacks a symbol: many symbols are private to
    Samba and may disappear in any version.
    """

    def __init__(self, ffi: FFI, name: str) -> None:
        self._ffi = ffi
        try:
            self.call: Any = ffi.dlopen(name)
        except OSError as error:
            raise RegistryError(f"{name} cannot be loaded: {error}") from error
        missing = [symbol for symbol in dir(self.call) if not hasattr(self.call, symbol)]
        if missing:
            raise RegistryError(
                f"{name} is of an unsupported Samba version: it lacks {', '.join(missing)}"
            )
        self._debug_callback: Any = None

    @contextlib.contextmanager
    def frame(self) -> Iterator[Any]:
        """A talloc stackframe: what Samba allocates in it is freed at the end."""
        frame = self.call._talloc_stackframe(LOCATION)
        try:
            yield frame
        finally:
            self.call._talloc_free(frame, LOCATION)

    def on_debug(self, function: Callable[[int, str], None]) -> None:
        """Pass Samba's debug log to `function(level, line)` and nowhere else."""

        def line(private: Any, level: int, message: Any) -> None:
            function(level, text(message))

        self._debug_callback = self._ffi.callback("debug_callback_fn", line)
        self.call.debug_set_callback(self._ffi.NULL, self._debug_callback)

    @contextlib.contextmanager
    def debug_to(self, function: Callable[[int, str], None]) -> Iterator[None]:
        """Pass Samba's debug log to `function` for a while."""
        before = self._debug_callback
        self.on_debug(function)
        try:
            yield
        finally:
            self._debug_callback = before
            self.call.debug_set_callback(self._ffi.NULL, before or self._ffi.NULL)

    def default_config_file(self) -> str:
        return text(self.call.get_dyn_CONFIGFILE())

    def override(self, name: str, value: str) -> None:
        """As --option=NAME=VALUE: overrides smb.conf. Raises: RegistryError."""
        with self.frame() as memory:
            context = self.call.loadparm_init_s3(memory, self.call.loadparm_s3_helpers())
            if not self.call.lpcfg_set_cmdline(context, encoded(name), encoded(value)):
                raise RegistryError(f"--option={name}={value}: Samba does not accept it")

    def log_warnings_only(self) -> None:
        """Pass only errors and warnings to `on_debug`, whatever `log level` was loaded."""
        self.call.debug_parse_levels(b"1")


def encoded(value: str) -> bytes:
    """For a `const char *`. Raises: RegistryError if the text contains a NUL or a line end,
    which smb.conf cannot express."""
    if any(character in value for character in "\0\r\n"):
        raise RegistryError(f"{value!r} is not a valid value in smb.conf")
    return value.encode("utf-8", "surrogateescape")


def text(pointer: Any) -> str:
    raw: Any = _ANY.string(pointer)
    return str(raw, "utf-8", "surrogateescape")


_ANY = FFI()  # reads pointers of every FFI
