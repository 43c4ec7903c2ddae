// What the page knows of the agent. It follows `watch-events`, and asks again for what an event
// names as changed; nothing is asked for in intervals while the agent runs.

import { useSyncExternalStore } from "react";
import { CommandError, ask, follow } from "./fsrvpctl";
import type { AgentEvent, History, HistorySet, KeptCopy, Problem, ShadowCopySet, Status } from "./json";

const GATHER = 50; // ms in which changes are gathered before they are asked for
const MOST_EVENTS = 1000; // that are remembered
const AGAIN = 5000; // ms until a connection to an agent that is away is tried again

export type Trouble =
    | { kind: "missing" }
    | { kind: "stopped"; problem: Problem }
    | { kind: "no-rights"; text: string }
    | { kind: "other-version"; text: string }
    | { kind: "failed"; text: string };

export interface Known {
    trouble: Trouble | null;
    status: Status | null;
    sets: ShadowCopySet[] | null;
    kept: KeptCopy[] | null;
    /** The sets of the last week, the newest first. */
    history: { sets: HistorySet[]; asked: number } | null;
    /** Those since the page was opened, the newest first. */
    events: AgentEvent[];
}

type Part = "status" | "sets" | "kept" | "history";
const ALL: Part[] = ["status", "sets", "kept", "history"];
const ENDS = new Set(["Recovered", "Gone"]); // statuses that the history tells of
const PARTS: Record<string, Part[]> = {
    set: ["sets", "status"],
    copy: ["kept", "status"],
    share: ["status"],
    status: ["status"],
};

class Agent {
    known: Known = { trouble: null, status: null, sets: null, kept: null, history: null, events: [] };
    #readers = new Set<() => void>();
    #stale = new Set<Part>();
    #loading: Promise<void> | null = null;
    #stop: () => void = () => {};
    #permission: Permission | null = null;

    /** Returns what ends the subscription. The agent is followed from the first reader on. */
    subscribe = (reader: () => void): (() => void) => {
        this.#readers.add(reader);
        if (this.#permission === null) {
            this.#permission = cockpit.permission({ admin: true });
            this.#permission.addEventListener("changed", this.connect);
            this.connect();
        }
        return () => this.#readers.delete(reader);
    };

    connect = (): void => {
        this.#stop();
        const end = follow(
            "watch-events",
            line => { this.#happened(line as AgentEvent); },
            error => void this.#ended(error, end),
        );
        this.#stop = end;
    };

    /** Ask for everything, after something that is no event. Ends when it is there. */
    refresh = async (parts: Part[] = ALL): Promise<void> => {
        for (const part of parts) this.#stale.add(part);
        this.#loading ??= this.#load();
        await this.#loading;
    };

    #happened(event: AgentEvent): void {
        const resync = event.event === "resync";
        if (!resync) this.#tell({ ...this.known, events: [event, ...this.known.events].slice(0, MOST_EVENTS) });
        const changed = event.changed ?? [];
        const parts = resync ? ALL : changed.flatMap(each => PARTS[each.kind] ?? []);
        if (changed.some(each => ENDS.has(each.status ?? ""))) parts.push("history");
        if (parts.length > 0) void this.refresh(parts);
    }

    /** One after the other, until nothing has changed meanwhile: a storm of events is no storm of processes. */
    async #load(): Promise<void> {
        try {
            while (this.#stale.size > 0) {
                await new Promise(resolve => setTimeout(resolve, GATHER));
                const parts = [...this.#stale];
                this.#stale.clear();
                const found = await Promise.all(parts.map(async part => [part, await load(part)] as const));
                const known: Known = { ...this.known, ...Object.fromEntries(found) };
                // What `status` says of an agent that has just ended is said by `#ended`.
                const running = known.status?.running ?? false;
                this.#tell({ ...known, trouble: running ? otherVersion(known.status) : known.trouble });
            }
        } catch (error) {
            if (error instanceof CommandError && error.exitStatus !== 3)
                this.#tell({ ...this.known, trouble: { kind: "failed", text: error.text } });
        } finally {
            this.#loading = null;
        }
    }

    async #ended(error: CommandError, ended: () => void): Promise<void> {
        const trouble = await this.#troubleOf(error);
        if (this.#stop !== ended) return; // somebody has connected again meanwhile
        this.#tell({ ...this.known, trouble, status: null, sets: null, kept: null, history: null });
        const timer = setTimeout(this.connect, AGAIN);
        this.#stop = () => { clearTimeout(timer); };
    }

    async #troubleOf(error: CommandError): Promise<Trouble> {
        if (error.problem === "not-found") return { kind: "missing" };
        if (error.exitStatus === 2) return { kind: "other-version", text: error.text };
        if (error.exitStatus === 3 || error.exitStatus === 0) {
            const status = await ask<Status>("status").catch(() => null);
            const problem = status?.problems[0];
            if (status?.running === false && problem) return { kind: "stopped", problem };
        }
        if (error.problem === "access-denied" || this.#permission?.allowed === false)
            return { kind: "no-rights", text: error.text };
        return { kind: "failed", text: error.text };
    }

    #tell(known: Known): void {
        this.known = known;
        for (const reader of this.#readers) reader();
    }
}

/** The page understands the MAJOR that it was built for, and any MINOR that is not lower. */
function otherVersion(status: Status | null): Trouble | null {
    if (status === null) return null;
    const [major = 0, minor = 0] = numbers(status.json_version ?? "0.0");
    const [wantedMajor = 0, wantedMinor = 0] = numbers(JSON_VERSION);
    if (major === wantedMajor && minor >= wantedMinor) return null;
    return { kind: "other-version", text: status.version ?? "" };
}

const numbers = (version: string): number[] => version.split(".").map(Number);

async function load(part: Part): Promise<Known[Part]> {
    switch (part) {
    case "status": return await ask<Status>("status");
    case "sets": return await ask<ShadowCopySet[]>("list-sets");
    case "kept": return await ask<KeptCopy[]>("list-kept");
    case "history": return { ...await ask<History>("history", "--since", "7d"), asked: Date.now() / 1000 };
    }
}

export const agent = new Agent();

export function useAgent(): Known {
    return useSyncExternalStore(agent.subscribe, () => agent.known);
}
