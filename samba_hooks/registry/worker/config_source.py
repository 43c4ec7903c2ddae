"""Sections and parameters of one source of configuration: Samba's registry, or a file."""

from __future__ import annotations

from typing import Optional, Sequence

from samba_hooks.registry.worker.libsmbconf import (
    SBC_ERR_OK,
    Library,
    optional_text,
    samba_ffi,
)
from samba_hooks.worker.library import encoded, text


class ConfigSource:
    """Open until `close`. Every method may raise RegistryError."""

    def __init__(self, library: Library, source: str) -> None:
        """`source` is `registry:` or `file:PATH`."""
        self._library = library
        self._call = library.call
        context = samba_ffi.new("struct smbconf_ctx **")
        with library.frame():
            library.check(self._call.smbconf_init(samba_ffi.NULL, context, encoded(source)), source)
        self._context = context[0]

    def names(self) -> list[Optional[str]]:
        """List all sections; None means lines before the first, as in included files."""
        count, array = samba_ffi.new("uint32_t *"), samba_ffi.new("char ***")
        with self._library.frame() as memory:
            error = self._call.smbconf_get_share_names(self._context, memory, count, array)
            self._library.check(error, "names of shares")
            return [optional_text(array[0][index]) for index in range(count[0])]

    def includes(self, section: Optional[str]) -> list[str]:
        """The values of `include` in one section, with macros not expanded."""
        name = samba_ffi.NULL if section is None else encoded(section)
        count, array = samba_ffi.new("uint32_t *"), samba_ffi.new("char ***")
        with self._library.frame() as memory:
            error = self._call.smbconf_get_includes(self._context, memory, name, count, array)
            self._library.check(error, "include")
            return [text(array[0][index]) for index in range(count[0])]

    def exists(self, share: str) -> bool:
        with self._library.frame():
            return bool(self._call.smbconf_share_exists(self._context, encoded(share)))

    def get(self, share: str, parameter: str) -> Optional[str]:
        """None if the share or the parameter does not exist."""
        value = samba_ffi.new("char **")
        with self._library.frame() as memory:
            error = self._call.smbconf_get_parameter(
                self._context, memory, encoded(share), encoded(parameter), value
            )
            return text(value[0]) if error == SBC_ERR_OK else None

    def set(self, share: str, parameter: str, value: str) -> None:
        with self._library.frame():
            error = self._call.smbconf_set_parameter(
                self._context, encoded(share), encoded(parameter), encoded(value)
            )
            self._library.check(error, f"share {share}: {parameter}")

    def create(self, share: str, parameters: Sequence[tuple[str, str]]) -> None:
        names = [samba_ffi.new("char[]", encoded(name)) for name, _ in parameters]
        values = [samba_ffi.new("char[]", encoded(value)) for _, value in parameters]
        arrays = samba_ffi.new("char *[]", names), samba_ffi.new("char *[]", values)
        title = samba_ffi.new("char[]", encoded(share))
        service = samba_ffi.new("struct smbconf_service *", [title, len(names), *arrays])
        with self._library.frame():
            error = self._call.smbconf_create_set_share(self._context, service)
            self._library.check(error, f"share {share}")

    def delete(self, share: str) -> None:
        with self._library.frame():
            error = self._call.smbconf_delete_share(self._context, encoded(share))
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
        """The registry's change counter; in a transaction, as the transaction will leave it."""
        return int(self._call.regdb_get_seqnum()) & 0xFFFFFFFF

    def close(self) -> None:
        self._call.smbconf_shutdown(self._context)
