"""Which tests prove the modules that have no test file of their name in tests/unit.

A module that connects others, or that uses Samba or a disk, is tested with the real ones. Each
row names tests that run the module's lines, as files below tests/. `make coverage` compares the
rows with what ran, except rows with brackets, which coverage.py cannot see: modules that need a
storage of `make test-platform`, and a helper that runs in isolated mode.
"""

from __future__ import annotations

CONTRACT = "contract/providers"
DOCTOR = "interop/test_admin_doctor.py"
MESSAGES = "interop/test_admin_messages.py"
SET_OPTION = "interop/test_set_option.py"
RECONCILIATION = "reliability/test_reconciliation.py"
CLIENT = "unit/rpc/test_client_association.py"
SECURED = "unit/rpc/test_secured_association.py"
STEPS = "unit/protocol/server/test_prepare_commit_expose.py"
START = "unit/protocol/server/test_start_and_add.py"
END = "unit/protocol/server/test_recover_and_end.py"
COPY = "requestor/test_copy.py"
COPY_FAILURES = "requestor/test_copy_failures.py"
TAR = "requestor/test_tar.py"
BROKEN_SERVERS = "requestor/test_broken_servers.py"
POSTGRESQL = "requestor/test_postgresql.py"
AGENT_CONNECTION = "requestor/test_agent_connection.py"
MOUNT = "requestor/test_mount.py"
REGISTRY = "contract/samba/test_shadow_shares.py"
CLUSTER_STORE = ("cluster/test_store.py", "cluster/test_store_faults.py")

PROVED_BY: dict[str, tuple[str, ...]] = {
    # The C core and the ground.
    "fsrvpd/core/__init__.py": (MESSAGES,),
    "fsrvpd/core/clones.py": (f"{CONTRACT}/test_tree_clone.py",),
    "fsrvpd/core/error_codes.py": ("unit/core/test_btrfs.py", "unit/core/test_ndr.py"),
    "fsrvpd/core/live_mounts.py": (f"{CONTRACT}/test_live_mounts.py",),
    "fsrvpd/core/messages.py": ("unit/protocol/test_model.py", MESSAGES),
    "fsrvpd/errors.py": (MESSAGES, RECONCILIATION),
    # The protocol.
    "fsrvpd/protocol/ports.py": (MESSAGES, f"{CONTRACT}/test_btrfs.py"),
    "fsrvpd/protocol/settings.py": ("unit/protocol/server/test_maintenance.py",),
    "fsrvpd/providers/gaps.py": (f"{CONTRACT}/test_gaps.py", "interop/test_other_snapshots.py"),
    "fsrvpd/protocol/server/agent.py": (START, STEPS, END),
    "fsrvpd/protocol/server/creation.py": (START, STEPS),
    "fsrvpd/protocol/server/creation_session.py": (START,),
    "fsrvpd/protocol/server/exposure.py": (STEPS, END),
    "fsrvpd/protocol/server/removal.py": (END, "unit/protocol/server/test_maintenance.py"),
    "fsrvpd/protocol/server/state_machine.py": (START, STEPS, END),
    "fsrvpd/rpc/client_pdus.py": (CLIENT,),
    "fsrvpd/rpc/security/channels.py": (SECURED,),
    "fsrvpd/rpc/security/client_channel.py": (CLIENT,),
    "fsrvpd/rpc/security/context.py": (SECURED,),
    "fsrvpd/rpc/security/kerberos.py": ("ad/test_acceptor.py",),
    "fsrvpd/rpc/security/ntlm_messages.py": ("unit/rpc/security/test_ntlm.py",),
    "fsrvpd/rpc/security/ntlm_session.py": ("unit/rpc/security/test_ntlm.py", SECURED),
    "fsrvpd/rpc/security/protection.py": (SECURED, CLIENT),
    "fsrvpd/rpc/security/spnego_messages.py": ("unit/rpc/security/test_spnego.py", SECURED),
    # The cluster.
    "fsrvpd/daemon/cluster/admins.py": ("cluster/test_one_agent.py",),
    "fsrvpd/daemon/cluster/exports.py": ("cluster/test_one_agent.py",),
    "fsrvpd/daemon/cluster/joined.py": ("cluster/test_one_agent.py",),
    "fsrvpd/daemon/cluster/link.py": ("cluster/test_one_agent.py",),
    "fsrvpd/daemon/cluster/node.py": ("cluster/test_one_agent.py",),
    "fsrvpd/store/ctdb/life.py": CLUSTER_STORE,
    "fsrvpd/store/ctdb/settled.py": CLUSTER_STORE,
    "fsrvpd/store/ctdb/store.py": CLUSTER_STORE,
    "fsrvpd/store/ctdb/transactions.py": CLUSTER_STORE,
    "samba_hooks/ctdb/database.py": CLUSTER_STORE,
    # Snapshots.
    "fsrvpd/providers/btrfs/provider.py": (f"{CONTRACT}/test_btrfs.py",),
    "fsrvpd/providers/btrfs/subvolumes.py": (f"{CONTRACT}/test_btrfs.py",),
    "fsrvpd/providers/cephfs.py": (f"{CONTRACT}/test_contract.py[cephfs]",),
    "fsrvpd/providers/command/provider.py": (f"{CONTRACT}/test_command.py",),
    "fsrvpd/providers/discovery.py": (f"{CONTRACT}/test_discovery.py",),
    "fsrvpd/providers/lvm/freeze_helper.py": (f"{CONTRACT}/test_freeze.py[python -I]",),
    "fsrvpd/providers/lvm/provider.py": (
        f"{CONTRACT}/test_contract.py[lvm-xfs]",
        f"{CONTRACT}/test_lvm.py[lvm-xfs]",
    ),
    "fsrvpd/providers/reflink/clone_record.py": (f"{CONTRACT}/test_clone_ahead.py",),
    "fsrvpd/providers/reflink/earlier_clone.py": (f"{CONTRACT}/test_clone_ahead.py",),
    "fsrvpd/providers/reflink/directory.py": (f"{CONTRACT}/test_clone_races.py",),
    "fsrvpd/providers/reflink/file_clone.py": (f"{CONTRACT}/test_reflink.py",),
    "fsrvpd/providers/reflink/provider.py": (f"{CONTRACT}/test_reflink.py",),
    "fsrvpd/providers/reflink/tree_clone.py": (f"{CONTRACT}/test_tree_clone.py",),
    "fsrvpd/providers/zfs/provider.py": (
        f"{CONTRACT}/test_contract.py[zfs]",
        f"{CONTRACT}/test_zfs.py[zfs]",
    ),
    # Samba.
    "samba_hooks/accounts/libpassdb.py": ("interop/test_passdb.py",),
    "samba_hooks/accounts/passdb.py": ("interop/test_passdb.py",),
    "samba_hooks/accounts/worker.py": ("interop/test_passdb.py",),
    "samba_hooks/pipe/session_info.py": ("unit/samba_hooks/pipe/test_named_pipe_auth.py",),
    "samba_hooks/registry/printed_shares.py": ("contract/samba/test_net_commands.py",),
    "samba_hooks/registry/worker/__main__.py": (REGISTRY,),
    "samba_hooks/registry/worker/config_source.py": (REGISTRY,),
    "samba_hooks/registry/worker/config_watch.py": ("contract/samba/test_worker.py",),
    "samba_hooks/registry/worker/events.py": (REGISTRY,),
    "samba_hooks/registry/worker/libsmbconf.py": (REGISTRY,),
    "samba_hooks/registry/worker/loaded_shares.py": (REGISTRY,),
    "samba_hooks/registry/worker/shadow_shares.py": (REGISTRY,),
    "samba_hooks/registry/worker/warrant.py": ("contract/samba/test_warrant.py",),
    "samba_hooks/worker/child.py": (REGISTRY,),
    "samba_hooks/worker/library.py": (REGISTRY,),
    "samba_hooks/worker/process.py": ("unit/samba_hooks/registry/test_client.py", REGISTRY),
    # The requestor's SMB.
    "fsrvpd/requestor/ctl/run_parts.py": (
        "requestor/test_jobs.py",
        "requestor/test_run_signals.py",
    ),
    "fsrvpd/requestor/ctl/shared_trees.py": ("requestor/test_jobs.py",),
    "fsrvpd/requestor/ctl/commands.py": ("unit/requestor/ctl/test_main.py",),
    "fsrvpd/requestor/smb/agent_connection.py": (AGENT_CONNECTION,),
    "fsrvpd/requestor/smb/connection.py": (AGENT_CONNECTION, BROKEN_SERVERS),
    "fsrvpd/requestor/smb/connector.py": (AGENT_CONNECTION, BROKEN_SERVERS),
    "fsrvpd/requestor/smb/initiator.py": (CLIENT, AGENT_CONNECTION, "ad/test_requestor.py"),
    "fsrvpd/requestor/smb/pipe.py": (AGENT_CONNECTION,),
    "fsrvpd/requestor/smb/session.py": (AGENT_CONNECTION, BROKEN_SERVERS),
    # The requestor's writers.
    "fsrvpd/requestor/writers/agent.py": ("unit/requestor/writers/test_guest_agent.py",),
    "fsrvpd/requestor/writers/keeper.py": (
        "unit/requestor/writers/test_keeping.py[python -I]",
        "requestor/test_guest.py",
    ),
    "fsrvpd/requestor/writers/postgresql_backup.py": (POSTGRESQL,),
    "fsrvpd/requestor/writers/postgresql_restoring.py": (POSTGRESQL,),
    "fsrvpd/requestor/writers/postgresql.py": (POSTGRESQL,),
    "fsrvpd/requestor/writers/ports.py": ("unit/requestor/writers/test_group.py",),
    "fsrvpd/requestor/writers/writer_state.py": ("unit/requestor/writers/test_group.py",),
    # The daemon.
    "fsrvpd/daemon/agent/whole_snapshots.py": ("unit/daemon/agent/test_jobs.py",),
    "fsrvpd/daemon/components.py": (MESSAGES,),
    "fsrvpd/daemon/control/set_creation.py": (
        "unit/daemon/control/test_self_test.py",
        "interop/test_create_set.py",
    ),
    "fsrvpd/daemon/control/set_messages.py": ("interop/test_create_set.py",),
    "fsrvpd/daemon/control/shell_snap.py": ("interop/test_shell_snap.py",),
    "fsrvpd/daemon/agent_service.py": (MESSAGES, RECONCILIATION),
    "fsrvpd/daemon/daemon.py": (MESSAGES, RECONCILIATION),
    "fsrvpd/daemon/main.py": (MESSAGES,),
    "fsrvpd/daemon/pipe/server.py": (MESSAGES, "interop/test_rpcclient.py"),
    "fsrvpd/daemon/reconciliation/inventory.py": (MESSAGES, RECONCILIATION),
    # The requestor.
    "fsrvpd/requestor/checks/look.py": ("unit/requestor/checks/test_check.py",),
    "fsrvpd/requestor/mount/binding.py": (MOUNT,),
    "fsrvpd/requestor/mount/mounts.py": (MOUNT,),
    "fsrvpd/requestor/mount/process.py": (MOUNT,),
    "fsrvpd/requestor/mount/server.py": (MOUNT,),
    "fsrvpd/requestor/copying/archive.py": (TAR,),
    "fsrvpd/requestor/copying/counting.py": (COPY,),
    "fsrvpd/requestor/copying/facts.py": (COPY,),
    "fsrvpd/requestor/copying/local_directory.py": (COPY,),
    "fsrvpd/requestor/copying/mirror_directory.py": (COPY,),
    "fsrvpd/requestor/copying/part_files.py": (COPY, COPY_FAILURES),
    "fsrvpd/requestor/copying/preview.py": (COPY,),
    "fsrvpd/requestor/copying/restoring.py": (COPY,),
    "fsrvpd/requestor/copying/share.py": ("unit/requestor/copying/test_comparison.py",),
    "fsrvpd/requestor/copying/shortfalls.py": ("unit/requestor/copying/test_traversal.py",),
    "fsrvpd/requestor/copying/totals.py": ("unit/requestor/copying/test_progress.py",),
    "fsrvpd/requestor/copying/verification.py": (COPY,),
    "fsrvpd/requestor/ctl/copy.py": (COPY, COPY_FAILURES),
    "fsrvpd/requestor/ctl/reading.py": (COPY, TAR),
    "fsrvpd/requestor/ctl/restore.py": (COPY,),
    "fsrvpd/requestor/ctl/tar.py": (TAR,),
    "fsrvpd/requestor/files/write_messages.py": (COPY,),
    "fsrvpd/requestor/files/writing.py": (COPY,),
    "fsrvpd/requestor/names/records.py": ("unit/requestor/names/test_resolve.py",),
    "fsrvpd/requestor/smb/read_trial.py": ("requestor/test_check.py",),
    "fsrvpd/requestor/smb/records.py": ("unit/requestor/checks/test_share.py",),
    "fsrvpd/requestor/smb/server_look.py": ("requestor/test_check.py",),
    "fsrvpd/requestor/protocol/exchange.py": ("unit/requestor/protocol/test_server_set.py",),
    "fsrvpd/requestor/sets/server_side.py": (
        "unit/requestor/sets/test_creation.py",
        "unit/requestor/sets/test_any_fault.py",
    ),
    # The commands.
    "fsrvpd/ctl/doctor/command.py": (DOCTOR,),
    "fsrvpd/ctl/doctor/trial_copy.py": (DOCTOR,),
    "fsrvpd/ctl/messages.py": (MESSAGES,),
    "fsrvpd/ctl/set_option/answer.py": (SET_OPTION,),
    "fsrvpd/ctl/set_option/command.py": (SET_OPTION,),
    "fsrvpd/ctl/set_option/registry_section.py": (SET_OPTION,),
    "fsrvpd/ctl/set_option/section.py": (SET_OPTION,),
    "fsrvpd/ctl/set_option/smb_conf_section.py": (SET_OPTION,),
    "fsrvpd/ctl/setup/command.py": ("interop/test_setup.py",),
    "fsrvpd/ctl/share_config.py": ("interop/test_previous_versions.py",),
}
