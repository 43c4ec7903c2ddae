"""libsmbconf.so.0, Samba's configuration library.

With `config_source` and `events` the only module that handles its pointers. Only the worker
imports it, because the library ends its process when it likes.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from fsrvpd.errors import RegistryError
from samba_hooks.registry.worker import LIBRARY
from samba_hooks.registry.worker.cdef import DECLARATIONS
from samba_hooks.worker import library as samba_library
from samba_hooks.worker.library import encoded, text

SBC_ERR_OK = 0
_GLOBAL = -1  # in place of the number of a share
_NO_SUCH_SHARE = b"fsrvpd: no such share"

samba_ffi = samba_library.ffi_of(DECLARATIONS)


class Library(samba_library.Library):
    """The loaded library: smb.conf as Samba's own parser reads it, and security descriptors.

    Raises: RegistryError if it cannot be loaded.
    """

    def __init__(self, name: str = LIBRARY) -> None:
        super().__init__(samba_ffi, name)

    def samba_version(self) -> str:
        return text(self.call.samba_version_string())

    def running(self, program: str, pid_directory: str) -> int:
        """Process id of one of Samba's daemons, by its pid file; 0 if it is not running."""
        with self.frame():
            return int(self.call.pidfile_pid(encoded(pid_directory), encoded(program)))

    def server_role(self) -> str:
        return text(self.call.server_role_str(self.call.lp_server_role()))

    def load(self, config_file: str) -> bool:
        """Load smb.conf: [global] and the shares in files. False if Samba cannot read it.
        Whatever `log level` is, only errors and warnings are passed to `on_debug` afterwards."""
        with self.frame():
            self.call.lp_kill_all_services()
            loaded = bool(self.call.lp_load_with_shares(encoded(config_file)))
            self.log_warnings_only()
        return loaded

    def load_global(self, config_file: str) -> bool:
        """Load [global] alone. False if Samba cannot read it; what came before stays loaded."""
        with self.frame():
            return bool(self.call.lp_load_global(encoded(config_file)))

    def refusal(self, name: str, value: str) -> Optional[str]:
        """Why Samba refuses a parameter in smb.conf; None if it takes it. For a file that cannot be
        loaded: what is loaded is changed."""
        said: list[str] = []
        with self.frame(), self.debug_to(lambda level, line: said.append(line.strip())):
            if self.call.lp_do_parameter(_GLOBAL, encoded(name), encoded(value)):
                return None
        return "; ".join(line.partition("): ")[2] or line for line in said)

    def globals(self) -> str:
        """[global] with every parameter and the defaults of all share parameters, as printed."""
        return self._print(lambda stream: self.call.lp_dump(stream, True, 0))

    def loaded_names(self) -> dict[int, str]:
        """The names of all loaded shares by number. Samba itself finds a share by comparing its
        name with one after the other, each expanded anew: 2 ms among 10,000."""
        numbers = range(self.call.lp_numservices())
        names = ((number, self.call.lp_const_servicename(number)) for number in numbers)
        return {number: text(name) for number, name in names if name != samba_ffi.NULL}

    def is_offered(self, number: int) -> bool:
        """Whether a loaded share is available."""
        return bool(self.call.lp_snum_ok(number))

    def loaded_share(self, number: int) -> str:
        """A loaded share as printed, without parameters that equal the defaults."""
        return self._print(lambda stream: self.call.lp_dump_one(stream, False, number))

    def registry_share(self, name: str) -> Optional[str]:
        """A share that exists in the registry as printed, read from there now. None if it has
        been removed meanwhile. Raises: RegistryError.
        """
        with self.frame():
            if not self.call.process_registry_service(encoded(name)):
                raise RegistryError(f"Samba cannot read share {name} from its registry")
            number = self.call.lp_servicenumber(encoded(name))
            if number < 0:
                return None
            try:
                return self.loaded_share(number)
            finally:
                self.call.lp_killservice(number)

    def registry_shares_enabled(self) -> bool:
        return bool(self.call.lp_registry_shares())

    def registry_takes(self, parameter: str) -> bool:
        return bool(self.call.smbconf_reg_parameter_is_valid(encoded(parameter)))

    def copy_descriptor(self, base: str, name: str) -> None:
        """Give share `name` the security descriptor that `base` has now.

        It is written only if `name` does not have it already: most shares have no descriptor of
        their own, and a write costs a transaction. Raises: RegistryError.
        """
        with self.frame() as memory:
            wanted = self._descriptor(memory, encoded(base))
            if not self._same(self._descriptor(memory, encoded(name)), wanted):
                status = self.call.set_share_security(encoded(name), wanted)
                self._check_status(status, f"share {name}: security descriptor")

    def delete_descriptor(self, name: str) -> None:
        """Idempotent. Raises: RegistryError."""
        with self.frame() as memory:
            default = self._descriptor(memory, _NO_SUCH_SHARE)
            if not self._same(self._descriptor(memory, encoded(name)), default):
                status = self.call.delete_share_security(encoded(name))
                self._check_status(status, f"share {name}: security descriptor")

    def expand(self, value: str) -> str:
        """A value with its macros expanded for no particular client."""
        with self.frame() as memory:
            return text(self.call.talloc_sub_basic(memory, b"", b"", encoded(value)))

    def check(self, error: int, subject: str) -> None:
        """Raises: RegistryError unless `error` (an sbcErr) is SBC_ERR_OK."""
        if error != SBC_ERR_OK:
            raise RegistryError(f"{subject}: {text(self.call.sbcErrorString(error))}")

    def _check_status(self, status: int, subject: str) -> None:
        if status != 0:
            raise RegistryError(f"{subject}: {text(self.call.nt_errstr(status))}")

    def _descriptor(self, memory: Any, share: bytes) -> Any:
        descriptor = self.call.get_share_security(memory, share, samba_ffi.new("size_t *"))
        if descriptor == samba_ffi.NULL:
            raise RegistryError("Samba's share_info.tdb cannot be read")
        return descriptor

    def _same(self, one: Any, other: Any) -> bool:
        return bool(self.call.security_descriptor_equal(one, other))

    def _print(self, dump: Callable[[Any], None]) -> str:
        memory, size = samba_ffi.new("char **"), samba_ffi.new("size_t *")
        stream = self.call.open_memstream(memory, size)
        if stream == samba_ffi.NULL:
            raise RegistryError("out of memory while reading smb.conf")
        with self.frame():
            dump(stream)
        self.call.fclose(stream)
        try:
            printed: bytes = samba_ffi.buffer(memory[0], size[0])[:]
        finally:
            self.call.free(memory[0])
        return printed.decode("utf-8", "surrogateescape")


def optional_text(pointer: Any) -> Optional[str]:
    return None if pointer == samba_ffi.NULL else text(pointer)
