"""libsmbconf.so.0, Samba's public configuration library, through cffi's ABI mode.

The only module of the worker that handles C's pointers. Only the worker imports it:
Samba ends a process at its own discretion. Text is str; bytes that are no UTF-8 survive
both ways. Most of Samba wants a talloc stackframe to stand: `Library.frame`.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator, Optional, Sequence

from cffi import FFI

from fsrvpd.errors import RegistryError
from samba_hooks.worker import LIBRARY
from samba_hooks.worker.declarations import DECLARATIONS

_SBC_ERR_OK = 0
_TEVENT_FD_READ = 1
_LOCATION = b"fsrvpd"  # talloc and tevent want to know who calls
_NO_SUCH_SHARE = b"fsrvpd: no such share"

ffi = FFI()
ffi.cdef(DECLARATIONS)


class Library:
    """The loaded library: smb.conf as Samba's own parser holds it, security descriptors.

    Raises: RegistryError when it cannot be loaded, or lacks a symbol: most of them are
    private to Samba, which drops one when it likes.
    """

    def __init__(self, library: str = LIBRARY) -> None:
        try:
            self.call: Any = ffi.dlopen(library)
        except OSError as error:
            raise RegistryError(f"{library} cannot be loaded: {error}") from error
        missing = [name for name in dir(self.call) if not hasattr(self.call, name)]
        if missing:
            raise RegistryError(f"{library} is of an unknown Samba: no {', '.join(missing)}")
        self._debug_callback: Any = None

    @contextlib.contextmanager
    def frame(self) -> Iterator[None]:
        """A talloc stackframe: what Samba allocates inside is gone afterwards."""
        frame = self.call._talloc_stackframe(_LOCATION)
        try:
            yield
        finally:
            self.call._talloc_free(frame, _LOCATION)

    def on_debug(self, function: Callable[[int, str], None]) -> None:
        """Samba's debug log goes to `function(level, line)` and nowhere else."""

        def line(private: Any, level: int, message: Any) -> None:
            function(level, _text(message))

        self._debug_callback = ffi.callback("debug_callback_fn", line)
        self.call.debug_set_callback(ffi.NULL, self._debug_callback)

    def samba_version(self) -> str:
        return _text(self.call.samba_version_string())

    def default_config_file(self) -> str:
        return _text(self.call.get_dyn_CONFIGFILE())

    def running(self, program: str, pid_directory: str) -> int:
        """Process id of one of Samba's daemons, by its pid file; 0 when it does not run."""
        with self.frame():
            return int(self.call.pidfile_pid(_encoded(pid_directory), _encoded(program)))

    def server_role(self) -> str:
        return _text(self.call.server_role_str(self.call.lp_server_role()))

    def override(self, name: str, value: str) -> None:
        """As --option=NAME=VALUE: stands before what smb.conf says."""
        with self._memory() as memory:
            context = self.call.loadparm_init_s3(memory, self.call.loadparm_s3_helpers())
            if not self.call.lpcfg_set_cmdline(context, _encoded(name), _encoded(value)):
                raise RegistryError(f"--option={name}={value}: not taken by Samba")

    def load(self, config_file: str) -> bool:
        """Read smb.conf anew: [global] and the shares of files. Whatever `log level` says,
        only what matters is passed to `on_debug` afterwards."""
        with self.frame():
            self.call.lp_kill_all_services()
            loaded = bool(self.call.lp_load_with_shares(_encoded(config_file)))
            self.call.debug_parse_levels(b"1")
        return loaded

    def globals(self) -> str:
        """[global] printed, every parameter, and the defaults of all share parameters."""
        return self._print(lambda stream: self.call.lp_dump(stream, True, 0))

    def file_shares(self) -> list[str]:
        """Every loaded share printed, without what equals the defaults."""
        numbers = range(self.call.lp_numservices())
        return [self._service(number) for number in numbers if self.call.lp_snum_ok(number)]

    def file_share(self, name: str) -> Optional[str]:
        """The print of a loaded share, None when there is none of that name."""
        with self.frame():
            number = self.call.lp_servicenumber(_encoded(name))
        return self._service(number) if number >= 0 else None

    def registry_share(self, name: str) -> Optional[str]:
        """The print of a share that only the registry knows, read from there now.

        Raises: RegistryError.
        """
        with self.frame():
            if not self.call.process_registry_service(_encoded(name)):
                raise RegistryError(f"share {name}: Samba cannot read it from its registry")
            number = self.call.lp_servicenumber(_encoded(name))
            if number < 0:
                return None
            try:
                return self._service(number)
            finally:
                self.call.lp_killservice(number)

    def registry_shares_enabled(self) -> bool:
        return bool(self.call.lp_registry_shares())

    def registry_takes(self, parameter: str) -> bool:
        return bool(self.call.smbconf_reg_parameter_is_valid(_encoded(parameter)))

    def copy_descriptor(self, base: str, name: str) -> None:
        """Give share `name` the security descriptor that `base` has now.

        Written only when it differs from what `name` has anyway: most shares have none of
        their own, and a write costs a transaction. Raises: RegistryError.
        """
        with self._memory() as memory:
            wanted = self._descriptor(memory, _encoded(base))
            if not self._same(self._descriptor(memory, _encoded(name)), wanted):
                status = self.call.set_share_security(_encoded(name), wanted)
                self._check_status(status, f"share {name}: security descriptor")

    def delete_descriptor(self, name: str) -> None:
        """Idempotent. Raises: RegistryError."""
        with self._memory() as memory:
            default = self._descriptor(memory, _NO_SUCH_SHARE)
            if not self._same(self._descriptor(memory, _encoded(name)), default):
                status = self.call.delete_share_security(_encoded(name))
                self._check_status(status, f"share {name}: security descriptor")

    def open(self, source: str) -> Source:
        """`registry:` or `file:PATH`. Raises: RegistryError."""
        context = ffi.new("struct smbconf_ctx **")
        with self.frame():
            self.check(self.call.smbconf_init(ffi.NULL, context, _encoded(source)), source)
        return Source(self, context[0])

    def expand(self, value: str) -> str:
        """A value's macros, as they expand for no client in particular."""
        with self._memory() as memory:
            return _text(self.call.talloc_sub_basic(memory, b"", b"", _encoded(value)))

    def check(self, error: int, subject: str) -> None:
        """Raises: RegistryError unless an sbcErr says that all is well."""
        if error != _SBC_ERR_OK:
            raise RegistryError(f"{subject}: {_text(self.call.sbcErrorString(error))}")

    @contextlib.contextmanager
    def _memory(self) -> Iterator[Any]:
        memory = self.call._talloc_stackframe(_LOCATION)
        try:
            yield memory
        finally:
            self.call._talloc_free(memory, _LOCATION)

    def _check_status(self, status: int, subject: str) -> None:
        if status != 0:
            raise RegistryError(f"{subject}: {_text(self.call.nt_errstr(status))}")

    def _descriptor(self, memory: Any, share: bytes) -> Any:
        descriptor = self.call.get_share_security(memory, share, ffi.new("size_t *"))
        if descriptor == ffi.NULL:
            raise RegistryError("Samba's share_info.tdb cannot be read")
        return descriptor

    def _same(self, one: Any, other: Any) -> bool:
        return bool(self.call.security_descriptor_equal(one, other))

    def _service(self, number: int) -> str:
        return self._print(lambda stream: self.call.lp_dump_one(stream, False, number))

    def _print(self, dump: Callable[[Any], None]) -> str:
        memory, size = ffi.new("char **"), ffi.new("size_t *")
        stream = self.call.open_memstream(memory, size)
        if stream == ffi.NULL:
            raise RegistryError("out of memory while reading smb.conf")
        with self.frame():
            dump(stream)
        self.call.fclose(stream)
        try:
            printed: bytes = ffi.buffer(memory[0], size[0])[:]
        finally:
            self.call.free(memory[0])
        return printed.decode("utf-8", "surrogateescape")


class Source:
    """One opened configuration source; `close` ends it. Methods may raise RegistryError."""

    def __init__(self, library: Library, context: Any) -> None:
        self._library = library
        self._call = library.call
        self._context = context

    def names(self) -> list[Optional[str]]:
        """All sections; None stands for lines ahead of any, as included files have them."""
        count, array = ffi.new("uint32_t *"), ffi.new("char ***")
        with self._library._memory() as memory:
            error = self._call.smbconf_get_share_names(self._context, memory, count, array)
            self._library.check(error, "names of shares")
            return [_optional_text(array[0][index]) for index in range(count[0])]

    def includes(self, section: Optional[str]) -> list[str]:
        """The values of `include` in one section, macros not expanded."""
        name = ffi.NULL if section is None else _encoded(section)
        count, array = ffi.new("uint32_t *"), ffi.new("char ***")
        with self._library._memory() as memory:
            error = self._call.smbconf_get_includes(self._context, memory, name, count, array)
            self._library.check(error, "include")
            return [_text(array[0][index]) for index in range(count[0])]

    def exists(self, share: str) -> bool:
        with self._library.frame():
            return bool(self._call.smbconf_share_exists(self._context, _encoded(share)))

    def get(self, share: str, parameter: str) -> Optional[str]:
        """None when the share or the parameter is not there."""
        value = ffi.new("char **")
        with self._library._memory() as memory:
            error = self._call.smbconf_get_parameter(
                self._context, memory, _encoded(share), _encoded(parameter), value
            )
            return _text(value[0]) if error == _SBC_ERR_OK else None

    def set(self, share: str, parameter: str, value: str) -> None:
        with self._library.frame():
            error = self._call.smbconf_set_parameter(
                self._context, _encoded(share), _encoded(parameter), _encoded(value)
            )
            self._library.check(error, f"share {share}: {parameter}")

    def create(self, share: str, parameters: Sequence[tuple[str, str]]) -> None:
        names = [ffi.new("char[]", _encoded(name)) for name, _ in parameters]
        values = [ffi.new("char[]", _encoded(value)) for _, value in parameters]
        arrays = ffi.new("char *[]", names), ffi.new("char *[]", values)
        title = ffi.new("char[]", _encoded(share))
        service = ffi.new("struct smbconf_service *", [title, len(names), *arrays])
        with self._library.frame():
            error = self._call.smbconf_create_set_share(self._context, service)
            self._library.check(error, f"share {share}")

    def delete(self, share: str) -> None:
        with self._library.frame():
            error = self._call.smbconf_delete_share(self._context, _encoded(share))
            self._library.check(error, f"share {share}")

    def begin(self) -> None:
        with self._library.frame():
            self._library.check(self._call.smbconf_transaction_start(self._context), "registry")

    def commit(self) -> None:
        with self._library.frame():
            self._library.check(self._call.smbconf_transaction_commit(self._context), "registry")

    def cancel(self) -> None:
        with self._library.frame():
            self._library.check(self._call.smbconf_transaction_cancel(self._context), "registry")

    def sequence(self) -> int:
        """The registry's change counter, inside a transaction as that would leave it."""
        return int(self._call.regdb_get_seqnum()) & 0xFFFFFFFF

    def close(self) -> None:
        self._call.smbconf_shutdown(self._context)


class Events:
    """tevent's loop, and Samba's message bus driven by it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._context = library.call.tevent_context_init(ffi.NULL)
        self._handlers: list[Any] = []
        self._bus: Any = None

    def on_readable(self, descriptor: int, function: Callable[[], None]) -> None:
        def handler(context: Any, event: Any, flags: int, private: Any) -> None:
            function()

        callback = ffi.callback("tevent_fd_handler_t", handler)
        self._handlers.append(callback)
        self._library.call._tevent_add_fd(
            self._context,
            self._context,
            descriptor,
            _TEVENT_FD_READ,
            callback,
            ffi.NULL,
            _LOCATION,
            _LOCATION,
        )

    def run_once(self) -> None:
        """Wait for one event and handle it."""
        with self._library.frame():
            self._library.call._tevent_loop_once(self._context, _LOCATION)

    def join_bus(self) -> None:
        """Needs a loaded smb.conf. Raises: RegistryError."""
        with self._library.frame():
            self._bus = self._library.call.messaging_init(ffi.NULL, self._context)
        if self._bus == ffi.NULL:
            raise RegistryError("Samba's message bus cannot be joined: see the log of Samba")

    def send_to(self, pid: int, kind: int, data: bytes) -> bool:
        """Whether the process was there to take it, now or while the loop runs."""
        call = self._library.call
        with self._library.frame():
            server = call.pid_to_procid(pid)
            return bool(call.messaging_send_buf(self._bus, server, kind, data, len(data)) == 0)

    def send_to_all(self, kind: int, data: bytes) -> None:
        """A message for every process of Samba's. Those that cannot take it at once get it
        while the loop runs."""
        with self._library.frame():
            self._library.call.messaging_send_all(self._bus, kind, data, len(data))

    def close(self) -> None:
        for memory in (self._bus, self._context):
            if memory:
                self._library.call._talloc_free(memory, _LOCATION)


def _encoded(value: str) -> bytes:
    """For a `const char *`. Raises: RegistryError when the text holds a NUL or line end,
    which Samba's configuration cannot express."""
    if any(character in value for character in "\0\r\n"):
        raise RegistryError(f"{value!r}: no value for Samba's configuration")
    return value.encode("utf-8", "surrogateescape")


def _text(pointer: Any) -> str:
    raw: Any = ffi.string(pointer)
    return str(raw, "utf-8", "surrogateescape")


def _optional_text(pointer: Any) -> Optional[str]:
    return None if pointer == ffi.NULL else _text(pointer)
