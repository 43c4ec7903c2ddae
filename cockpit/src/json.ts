// The parts of `fsrvpctl --json` that the page reads, as docs/json.md describes them.

export interface Problem {
    what: string;
    object: string;
    text: string;
    next_step: string;
}

export interface LastBackup {
    set: string;
    committed: number;
    completed: number | null;
}

export interface ShareStatus {
    share: string;
    state: "ready" | "not-ready" | "off" | "silent" | "pending";
    reason: string;
    provider: string | null;
    volume: string | null;
    last_backup: LastBackup | null;
}

export interface Volume {
    volume: string;
    free_bytes: number;
    size_bytes: number;
    snapshots: number;
    kept: number;
    oldest_kept: number | null;
}

export interface Status {
    /** Of the daemon. Absent in one that is older than the schema. */
    json_version?: string;
    running: boolean;
    well: boolean;
    problems: Problem[];
    problems_left_out?: number;
    // Absent when the agent does not run.
    version?: string;
    samba_version?: string;
    uptime_seconds?: number;
    shares?: ShareStatus[];
    volumes?: Volume[];
}

export interface MappedShare {
    share: string;
    shadow_copy_share: string | null;
    exposed: boolean;
}

export interface Copy {
    copy: string;
    volume: string;
    provider: string;
    snapshot: string | null;
    keep: boolean;
    progress: { files: number; seconds: number; limit: number | null } | null;
    shares: MappedShare[];
}

export interface ShadowCopySet {
    set: string;
    status: string;
    context: string;
    client: string;
    account: string;
    started: number;
    copies: Copy[];
}

export interface KeptCopy {
    copy: string;
    set: string;
    share: string;
    created: number;
    provider: string;
    volume: string;
    snapshot: string;
    path: string | null;
    bytes: number | null;
    status: "kept" | "held" | "exposed" | "left";
    wanted_by: string[];
    surplus: boolean;
    reason: string;
}

export interface Removal {
    set: string;
    removed: boolean;
    shares: string[];
    snapshots: string[];
    kept: string[];
}

export interface Deletion extends KeptCopy {
    deleted: boolean;
}

export interface CheckedPath {
    share: string;
    path: string;
    supported: boolean;
    result: string;
    reason: string;
    refusals: Record<string, string>;
    provider: string | null;
    volume: string | null;
    warnings: string[];
    left_out: { path: string; why: string }[];
}

export interface HistorySet {
    set: string;
    client: string;
    account: string;
    shares: string[];
    started: number;
    committed: number | null;
    freeze_ms: number | null;
    ended: number | null;
    outcome: "running" | "completed" | "failed" | "timed-out" | "removed" | "interrupted";
    result: string | null;
    reason: string;
}

export interface History {
    sets: HistorySet[];
}

export interface Finding {
    severity: "ok" | "note" | "warn" | "fail";
    topic: string;
    text: string;
    next_step: string;
}

export interface ChangedOption {
    option: string;
    share: string | null;
    file: string | null;
    before: string | null;
    after: string | null;
    effective: string;
    default: string;
    changed: boolean;
    change: string[];
    daemon: "reloaded" | "not-running" | "refused" | null;
    needs_restart: boolean;
    warnings: string[];
}

export interface AgentEvent {
    time: number;
    id: number;
    event: string;
    text: string;
    fields: Record<string, unknown>;
    changed?: { kind: "set" | "copy" | "share" | "status"; name: string | null; status?: string | null }[];
}
