"""Which layer may import which: the rule that test_layers.py enforces.

A row is a package, or a single module beside packages. It may import itself, the rows that it
names, and `EVERYWHERE`. It names only rows above it in this table, so that no two rows can need
each other. `PURE` rows import nothing that does I/O or reads the time.
"""

from __future__ import annotations

EVERYWHERE = {"fsrvpd.errors"}


def below(package: str, *names: str) -> set[str]:
    return {f"{package}.{name}" for name in names}


CORE = {"fsrvpd.core"}
OF_SHARES = below("fsrvpd.protocol", "ports", "unc")
WORDS = below(
    "fsrvpd.protocol",
    *("hresult", "context", "ports", "settings", "unc", "access"),
    *("exports", "actions", "model", "table"),
)
METHODS = {*CORE, *WORDS} | below(
    "fsrvpd.protocol.server", "creation_session", "share_name", "state_machine"
)
ON_DISK = {*CORE, "fsrvpd.protocol.ports", "fsrvpd.providers.os_errors"}
SNAPSHOTS = {*ON_DISK, "fsrvpd.capabilities"} | below(
    "fsrvpd.providers", "catalog", "gaps", "mounting", "storage_command"
)
REGISTRY = {"fsrvpd.options", *below("samba_hooks", "testparm", "tools", "configuration")} | below(
    "samba_hooks.registry",
    *("config_version", "parameters", "share_definition", "inheritance", "smb_conf_lines"),
    *("smb_conf_faults", "per_client", "usershares"),
)
SMB_CONF = ("smb_conf_file", "registry.smb_conf_places", "registry.smb_conf_edit")
SAMBA = REGISTRY | below(
    "samba_hooks",
    *("messaging", "samba_agent", "vfs_modules", "pipe", "accounts", "registry.open_registry"),
)
HISTORY = below("fsrvpd.store", "history", "history_records")

# What the requestor shares with the agent, and its own lowest packages.
REQUESTOR = (
    CORE
    | below("fsrvpd", "filetime", "terminal")
    | below("fsrvpd.protocol", "unc", "context", "hresult", "sequence")
    | below("fsrvpd.requestor", "closing", "errors", "events", "ports", "side_by_side")
)
ON_FILES = {*REQUESTOR, "fsrvpd.run_command"} | below(
    "fsrvpd.requestor", "protocol", "state", "smb", "names", "files"
)

# From the lowest layer up.
MAY_IMPORT: dict[str, set[str]] = {
    "fsrvpd": set(),
    "fsrvpd.errors": set(),
    "fsrvpd.capabilities": set(),
    "fsrvpd.filetime": set(),
    "fsrvpd.ndr_reader": set(),
    "fsrvpd.options": set(),
    "fsrvpd.run_command": set(),
    "fsrvpd.terminal": set(),
    "fsrvpd.unix_socket": set(),
    "fsrvpd.table": {"fsrvpd.terminal"},
    "fsrvpd.core": {"fsrvpd"},
    "fsrvpd.command_line": {*CORE, "fsrvpd"},
    # Terms of the specification, for both client and server.
    "fsrvpd.protocol": set(),
    "fsrvpd.protocol.hresult": set(),
    "fsrvpd.protocol.context": set(),
    "fsrvpd.protocol.unc": set(),
    "fsrvpd.protocol.ports": {*CORE, "fsrvpd.options"},
    "fsrvpd.protocol.cluster": set(),
    "fsrvpd.protocol.exports": CORE | below("fsrvpd.protocol", "ports", "unc"),
    "fsrvpd.protocol.settings": {"fsrvpd.protocol.hresult"},
    "fsrvpd.protocol.sequence": CORE,
    "fsrvpd.protocol.access": {"fsrvpd.protocol.ports"},
    "fsrvpd.protocol.actions": CORE | below("fsrvpd.protocol", "ports", "exports"),
    "fsrvpd.protocol.model": CORE | below("fsrvpd.protocol", "context", "ports", "exports", "unc"),
    "fsrvpd.protocol.table": {*CORE, "fsrvpd.protocol.model"},
    "fsrvpd.protocol.server": set(),
    "fsrvpd.protocol.server.share_name": below("fsrvpd.protocol", "hresult", "unc"),
    "fsrvpd.protocol.server.creation_session": CORE | below("fsrvpd.protocol", "model"),
    "fsrvpd.protocol.server.document": {*CORE, "fsrvpd.filetime"}
    | below("fsrvpd.protocol", "model", "ports"),
    "fsrvpd.protocol.server.state_machine": {*CORE, *WORDS}
    | below("fsrvpd.protocol.server", "creation_session", "document"),
    "fsrvpd.protocol.server.view": {*CORE, *WORDS}
    | below("fsrvpd.protocol.server", "creation_session", "state_machine"),
    "fsrvpd.protocol.server.queries": {*METHODS, "fsrvpd.filetime"},
    "fsrvpd.protocol.server.removal": METHODS,
    "fsrvpd.protocol.server.creation": METHODS | below("fsrvpd.protocol.server", "removal"),
    "fsrvpd.protocol.server.exposure": METHODS | below("fsrvpd.protocol.server", "removal"),
    "fsrvpd.protocol.server.restart": METHODS
    | below("fsrvpd.protocol.server", "creation", "document", "exposure", "removal"),
    "fsrvpd.protocol.server.maintenance": METHODS
    | below("fsrvpd.protocol.server", "exposure", "removal"),
    "fsrvpd.protocol.server.method_rules": METHODS
    | below("fsrvpd.protocol.server", "queries", "removal", "creation", "exposure", "restart")
    | below("fsrvpd.protocol.server", "maintenance"),
    "fsrvpd.protocol.server.agent": METHODS
    | below("fsrvpd.protocol.server", "removal", "restart", "maintenance", "method_rules", "view"),
    # DCE/RPC.
    "fsrvpd.rpc": set(),
    "fsrvpd.rpc.faults": set(),
    "fsrvpd.rpc.verification_trailer": set(),
    "fsrvpd.rpc.presentation": {*CORE, "fsrvpd.rpc.faults"},
    "fsrvpd.rpc.security": {*CORE, "fsrvpd.ndr_reader", "fsrvpd.protocol.ports"},
    "fsrvpd.rpc.client_pdus": {*CORE, "fsrvpd.rpc.faults"},
    "fsrvpd.rpc.reassembly": CORE | below("fsrvpd.rpc", "faults", "security"),
    "fsrvpd.rpc.association": {*CORE, "fsrvpd.protocol.ports"}
    | below("fsrvpd.rpc", "faults", "presentation", "reassembly", "security")
    | below("fsrvpd.rpc", "verification_trailer"),
    "fsrvpd.rpc.client_association": CORE
    | below("fsrvpd.rpc", "faults", "presentation", "reassembly", "security")
    | below("fsrvpd.rpc", "client_pdus", "verification_trailer"),
    # Several servers as one agent.
    "fsrvpd.cluster": {*CORE, "fsrvpd.ndr_reader"}
    | below("fsrvpd.protocol", "actions", "cluster", "exports", "hresult", "ports"),
    "fsrvpd.store": set(),
    "fsrvpd.store.sqlite": CORE,
    "fsrvpd.store.history_records": CORE,
    "fsrvpd.store.history": {"fsrvpd.store.history_records"},
    "fsrvpd.store.ctdb": {*CORE, "fsrvpd", "fsrvpd.protocol.cluster"},
    # Snapshots.
    "fsrvpd.providers": set(),
    "fsrvpd.providers.os_errors": set(),
    "fsrvpd.providers.storage_command": {"fsrvpd.run_command"},
    "fsrvpd.providers.catalog": ON_DISK,
    "fsrvpd.providers.gaps": {*ON_DISK, "fsrvpd.providers.catalog"},
    "fsrvpd.providers.mounting": {
        *ON_DISK,
        "fsrvpd.providers.catalog",
        "fsrvpd.providers.storage_command",
    },
    "fsrvpd.providers.discovery": SNAPSHOTS,
    "fsrvpd.providers.reflink": SNAPSHOTS,
    "fsrvpd.providers.btrfs": SNAPSHOTS,
    "fsrvpd.providers.cephfs": SNAPSHOTS,
    "fsrvpd.providers.zfs": SNAPSHOTS,
    "fsrvpd.providers.lvm": SNAPSHOTS,
    "fsrvpd.providers.command": {*SNAPSHOTS, "fsrvpd.options"},
    "fsrvpd.providers.selection": {*CORE, "fsrvpd.options", "fsrvpd.protocol.ports"}
    | {"fsrvpd.capabilities"}
    | below("fsrvpd.providers", "btrfs", "cephfs", "zfs", "lvm", "reflink", "command"),
    "fsrvpd.exports": CORE
    | below("fsrvpd.protocol", "ports", "exports")
    | below("fsrvpd.providers", "os_errors"),
    "fsrvpd.shares": CORE
    | below("fsrvpd.protocol", "hresult", "ports", "unc", "server.share_name"),
    # Samba.
    "samba_hooks": set(),
    "samba_hooks.testparm": set(),
    "samba_hooks.registry": set(),
    "samba_hooks.registry.smb_conf_lines": set(),
    "samba_hooks.registry.smb_conf_faults": {"samba_hooks.registry.smb_conf_lines"},
    "samba_hooks.tools": {"fsrvpd.run_command", "samba_hooks.registry.smb_conf_faults"},
    "samba_hooks.configuration": {
        "fsrvpd.options",
        "samba_hooks.registry.smb_conf_faults",
        "samba_hooks.testparm",
    },
    "samba_hooks.registry.smb_conf_places": below("fsrvpd.protocol", "unc")
    | below("samba_hooks.registry", "smb_conf_lines"),
    "samba_hooks.registry.smb_conf_edit": below(
        "samba_hooks.registry", "smb_conf_lines", "smb_conf_places"
    ),
    "samba_hooks.smb_conf_file": set(),
    "samba_hooks.ctdb": {"fsrvpd.protocol.cluster"},
    "samba_hooks.messaging": set(),
    "samba_hooks.samba_agent": {"fsrvpd.run_command"},
    "samba_hooks.worker": set(),
    "samba_hooks.pipe": {*CORE, "fsrvpd.ndr_reader", "fsrvpd.protocol.ports", "fsrvpd.unix_socket"},
    "samba_hooks.accounts": {
        "fsrvpd.protocol.ports",
        "samba_hooks.configuration",
        "samba_hooks.tools",
        "samba_hooks.worker",
    },
    "samba_hooks.registry.config_version": set(),
    "samba_hooks.registry.parameters": {"fsrvpd.options"},
    "samba_hooks.vfs_modules": {"samba_hooks.tools", "samba_hooks.registry.parameters"},
    "samba_hooks.registry.per_client": below(
        "samba_hooks.registry", "config_version", "smb_conf_lines"
    ),
    "samba_hooks.registry.share_definition": {
        "fsrvpd.options",
        "fsrvpd.protocol.ports",
        "samba_hooks.registry.parameters",
        "samba_hooks.testparm",
    },
    "samba_hooks.registry.usershares": {
        "fsrvpd.protocol.unc",
        "samba_hooks.registry.share_definition",
    },
    "samba_hooks.registry.inheritance": {
        *("fsrvpd.options", "fsrvpd.protocol.ports", "samba_hooks.testparm"),
        *below("samba_hooks.registry", "parameters", "share_definition"),
    },
    "samba_hooks.registry.worker": {*REGISTRY, *OF_SHARES, "samba_hooks.worker"}
    | {"fsrvpd.protocol.cluster", "samba_hooks.ctdb"},
    "samba_hooks.registry.client": REGISTRY
    | OF_SHARES
    | below("samba_hooks", "registry.worker", "worker")
    | {"fsrvpd.protocol.cluster"},
    "samba_hooks.registry.printed_shares": REGISTRY | OF_SHARES,
    "samba_hooks.registry.net_commands": REGISTRY
    | OF_SHARES
    | {"samba_hooks.registry.printed_shares"},
    "samba_hooks.registry.open_registry": below(
        "samba_hooks.registry", "client", "net_commands", "worker"
    ),
    # The daemon.
    "fsrvpd.samba_command_line": {
        "fsrvpd.command_line",
        "samba_hooks.registry.open_registry",
        "samba_hooks.tools",
    },
    "fsrvpd.config": {*SAMBA, "fsrvpd.options", "fsrvpd.rpc.security"}
    | below("fsrvpd.protocol", "ports", "settings"),
    "fsrvpd.daemon": set(),
    "fsrvpd.daemon.event_loop": set(),
    "fsrvpd.daemon.worker_threads": set(),
    "fsrvpd.daemon.storage_limit": {"fsrvpd.daemon.worker_threads"},
    "fsrvpd.daemon.bounded_calls": below("fsrvpd.daemon", "worker_threads", "storage_limit"),
    "fsrvpd.daemon.metrics_file": {"fsrvpd.daemon.worker_threads"},
    "fsrvpd.daemon.volume_space": {"fsrvpd.daemon.worker_threads"},
    "fsrvpd.daemon.acceptor": {"fsrvpd.daemon.event_loop"},
    "fsrvpd.daemon.ctdb_socket": {"fsrvpd.daemon.event_loop", "samba_hooks.ctdb"},
    "fsrvpd.daemon.descriptors": set(),
    "fsrvpd.daemon.process": set(),
    "fsrvpd.daemon.reload": set(),
    "fsrvpd.daemon.log": {*CORE, "fsrvpd.samba_command_line", "fsrvpd.terminal"}
    | {"fsrvpd.protocol.hresult"},
    "fsrvpd.daemon.agent": {
        *CORE,
        *WORDS,
        "fsrvpd.protocol.server.agent",
        "fsrvpd.providers.selection",
        "fsrvpd.exports",
        "fsrvpd.shares",
    }
    | below("fsrvpd.daemon", "event_loop", "log", "worker_threads", "storage_limit"),
    "fsrvpd.daemon.pipe": {
        *CORE,
        *WORDS,
        *SAMBA,
        "fsrvpd.filetime",
        "fsrvpd.samba_command_line",
        "fsrvpd.shares",
    }
    | below("fsrvpd.rpc", "association", "faults", "security")
    | below("fsrvpd.daemon", "event_loop", "acceptor", "descriptors", "log", "worker_threads"),
    "fsrvpd.daemon.history": {*CORE, *WORDS, *HISTORY}
    | below("fsrvpd.daemon", "event_loop", "log", "worker_threads", "agent"),
    "fsrvpd.daemon.reconciliation": {
        *CORE,
        *WORDS,
        "fsrvpd.providers.selection",
        "fsrvpd.exports",
    }
    | below("fsrvpd.daemon", "event_loop", "log", "worker_threads", "bounded_calls", "agent"),
    "fsrvpd.daemon.status": {*WORDS, *HISTORY, "fsrvpd.config", "fsrvpd.shares"}
    | {"fsrvpd.providers.selection"}
    | below("fsrvpd.daemon", "event_loop", "worker_threads", "bounded_calls"),
    "fsrvpd.daemon.retention": {
        *CORE,
        *WORDS,
        "fsrvpd.options",
        "fsrvpd.providers.selection",
        "fsrvpd.exports",
    }
    | below("fsrvpd.daemon", "event_loop", "log", "worker_threads", "bounded_calls", "agent")
    | below("fsrvpd.daemon", "reconciliation"),
    "fsrvpd.daemon.control": {
        *CORE,
        *WORDS,
        *SAMBA,
        "fsrvpd",
        "fsrvpd.config",
        "fsrvpd.unix_socket",
        "fsrvpd.protocol.sequence",
        "fsrvpd.protocol.server.view",
        "fsrvpd.providers.selection",
        "fsrvpd.exports",
        "fsrvpd.shares",
        *HISTORY,
    }
    | below("fsrvpd.daemon", "event_loop", "acceptor", "descriptors", "reload", "log", "agent")
    | below("fsrvpd.daemon", "history", "retention", "status")
    | below("fsrvpd.daemon", "worker_threads", "storage_limit", "pipe", "reconciliation"),
    "fsrvpd.daemon.metrics_server": below("fsrvpd.daemon", "event_loop", "acceptor", "descriptors"),
    "fsrvpd.daemon.metrics": {*CORE, *WORDS, "fsrvpd", "fsrvpd.config"}
    | below("fsrvpd.daemon", "event_loop", "reload", "log", "agent", "pipe", "history")
    | below("fsrvpd.daemon", "metrics_file", "metrics_server", "volume_space"),
    "fsrvpd.daemon.components": {
        *CORE,
        "fsrvpd.exports",
        "fsrvpd.protocol.ports",
        "fsrvpd.protocol.unc",
        "fsrvpd.samba_command_line",
        "fsrvpd.config",
        "fsrvpd.providers.selection",
        "fsrvpd.store.sqlite",
        "fsrvpd.store.history",
        "samba_hooks.registry.open_registry",
    },
    "fsrvpd.daemon.agent_service": {
        *CORE,
        *WORDS,
        *SAMBA,
        "fsrvpd.samba_command_line",
        "fsrvpd.config",
        "fsrvpd.protocol.server.agent",
        "fsrvpd.providers.discovery",
        "fsrvpd.exports",
        "fsrvpd.shares",
    }
    | below("fsrvpd.daemon", "event_loop", "reload", "log", "agent", "history", "components")
    | below("fsrvpd.daemon", "reconciliation", "retention", "control"),
    "fsrvpd.daemon.daemon": {*CORE, *SAMBA, "fsrvpd.config", "fsrvpd.shares"}
    | {"fsrvpd.samba_command_line", *below("fsrvpd.protocol", "actions", "exports")}
    | below("fsrvpd.daemon", "event_loop", "process", "reload", "agent_service", "pipe", "status")
    | below("fsrvpd.daemon", "descriptors", "control", "metrics", "components"),
    "fsrvpd.daemon.cluster": {*CORE, *WORDS, *SAMBA, "fsrvpd.samba_command_line", "fsrvpd.config"}
    | {"fsrvpd.cluster", "fsrvpd.protocol.cluster", "fsrvpd.store.ctdb", "samba_hooks.ctdb"}
    | below("fsrvpd.daemon", "event_loop", "log", "control", "components", "daemon", "ctdb_socket")
    | {"fsrvpd.shares", "fsrvpd.exports", "samba_hooks.registry.client"}
    | below("fsrvpd.daemon", "agent_service", "worker_threads"),
    "fsrvpd.daemon.main": {*CORE, *SAMBA, "fsrvpd", "fsrvpd.samba_command_line", "fsrvpd.config"}
    | {"fsrvpd.terminal"}
    | below("fsrvpd.daemon", "process", "log", "control", "components", "daemon", "cluster"),
    # The commands.
    "fsrvpd.ctl": set(),
    "fsrvpd.ctl.client": {"fsrvpd.unix_socket"},
    "fsrvpd.ctl.render": {"fsrvpd.table", "fsrvpd.terminal"},
    "fsrvpd.ctl.render_history": {"fsrvpd.table", "fsrvpd.terminal"},
    "fsrvpd.ctl.render_status": {"fsrvpd.terminal"}
    | below("fsrvpd.ctl", "render", "render_history"),
    "fsrvpd.ctl.messages": below("fsrvpd.ctl", "render", "render_history", "render_status"),
    "fsrvpd.ctl.send": {"fsrvpd", "fsrvpd.samba_command_line", "fsrvpd.terminal"}
    | below("fsrvpd.ctl", "client", "render", "messages"),
    "fsrvpd.ctl.json_schema": {"fsrvpd.ctl.messages"},
    "fsrvpd.ctl.check_config": {"fsrvpd.samba_command_line", "fsrvpd.config"},
    "fsrvpd.ctl.share_config": {*CORE, "samba_hooks.testparm", "samba_hooks.vfs_modules"}
    | below("fsrvpd", "samba_command_line", "config", "options", "shares", "terminal")
    | below("fsrvpd.protocol", "ports", "exports")
    | below("fsrvpd.providers", "catalog", "selection"),
    "fsrvpd.ctl.snap": {"fsrvpd.config", "fsrvpd.ctl.client"}
    | below("fsrvpd", "command_line", "samba_command_line", "terminal"),
    "fsrvpd.ctl.doctor": {*CORE, *SAMBA, "fsrvpd.protocol.hresult", "samba_hooks.registry.client"}
    | below("fsrvpd", "capabilities", "samba_command_line", "config", "run_command", "terminal")
    | below("fsrvpd.ctl", "client", "send"),
    "fsrvpd.ctl.setup": {*SAMBA, *below("samba_hooks", *SMB_CONF)}
    | below("fsrvpd", "options", "samba_command_line", "config"),
    "fsrvpd.ctl.set_option": {*SAMBA, *below("samba_hooks", *SMB_CONF), "fsrvpd.ctl.client"}
    | below("fsrvpd", "config", "options", "samba_command_line")
    | below("fsrvpd", "protocol.ports", "providers.selection"),
    "fsrvpd.ctl.main": {"fsrvpd.command_line", "fsrvpd.samba_command_line", "fsrvpd.terminal"}
    | below("fsrvpd.ctl", "client", "send", "messages", "check_config", "share_config")
    | below("fsrvpd.ctl", "doctor", "json_schema", "set_option", "setup"),
    # The requestor, which shares nothing with the daemon but what stands in REQUESTOR.
    "fsrvpd.requestor.closing": set(),
    "fsrvpd.requestor.errors": {"fsrvpd.terminal"},
    "fsrvpd.requestor.events": set(),
    "fsrvpd.requestor.side_by_side": set(),
    "fsrvpd.requestor.ports": CORE,
    "fsrvpd.requestor.protocol": REQUESTOR,
    "fsrvpd.requestor.state": {*REQUESTOR, "fsrvpd.requestor.protocol"},
    "fsrvpd.requestor.smb": REQUESTOR
    | below("fsrvpd.rpc", "client_association", "faults", "security"),
    "fsrvpd.requestor.names": {*REQUESTOR, "fsrvpd.requestor.smb"},
    "fsrvpd.requestor.files": {*REQUESTOR, "fsrvpd.requestor.smb"},
    "fsrvpd.requestor.mount": ON_FILES,
    "fsrvpd.requestor.copying": ON_FILES,
    # What it does must go on where a server is gone.
    "fsrvpd.requestor.writers": {*REQUESTOR, "fsrvpd.run_command", "fsrvpd.requestor.state"},
    "fsrvpd.requestor.sets": REQUESTOR | below("fsrvpd.requestor", "protocol", "state", "names"),
    "fsrvpd.requestor.checks": REQUESTOR | below("fsrvpd.requestor", "protocol", "smb", "names"),
    "fsrvpd.requestor.opening": REQUESTOR
    | below("fsrvpd.requestor", "state", "smb", "names", "sets", "files"),
    "fsrvpd.requestor.ctl": REQUESTOR
    | below("fsrvpd", "command_line", "run_command", "table")
    | below("fsrvpd.requestor", "protocol", "state", "smb", "names", "sets", "checks")
    | below("fsrvpd.requestor", "files", "mount", "copying", "writers"),
    "fsrvpd.requestor.shell": {*REQUESTOR, "fsrvpd"}
    | below("fsrvpd", "command_line", "run_command", "table")
    | below("fsrvpd.requestor", "protocol", "state", "smb", "names", "sets", "ctl", "writers"),
    "fsrvpd.requestor.ctl.commands": {"fsrvpd.command_line"}
    | below("fsrvpd.requestor", "ctl", "shell"),
    "fsrvpd.requestor.ctl.main": {*REQUESTOR, "fsrvpd.command_line"}
    | below("fsrvpd.requestor", "ctl", "ctl.commands"),
    # The public names: each is imported when it is asked for.
    "fsrvpd.requestor": below("fsrvpd.requestor", "errors", "events", "ports", "smb", "sets")
    | below("fsrvpd.requestor", "files", "opening"),
}
# With all modules inside.
PURE = (
    *("fsrvpd.errors", "fsrvpd.options", "fsrvpd.protocol", "fsrvpd.rpc", "fsrvpd.cluster"),
    *below("fsrvpd.requestor", "errors", "events", "ports", "protocol"),
)
