// One row for each share of each copy: those of sets, and those that have outlived their set.

import type { KeptCopy, ShadowCopySet } from "./json";
import { _, matches, size } from "./text";

export interface CopyRow {
    key: string;
    copy: string;
    set: string;
    share: string;
    volume: string;
    provider: string;
    /** Under which clients reach it, or null. */
    shadowShare: string | null;
    /** Where the users of the server reach it, or null. */
    path: string | null;
    created: number;
    client: string;
    account: string;
    /** The set's, or null: it is gone. */
    status: string | null;
    kept: KeptCopy | null;
}

export function copyRows(sets: ShadowCopySet[], kept: KeptCopy[]): CopyRow[] {
    const keptById = new Map(kept.map(each => [each.copy, each]));
    const existing = sets.flatMap(set => set.copies.flatMap(copy => copy.shares.map((mapped): CopyRow => ({
        key: `${copy.copy} ${mapped.share}`,
        copy: copy.copy,
        set: set.set,
        share: mapped.share,
        volume: copy.volume,
        provider: copy.provider,
        shadowShare: mapped.exposed ? mapped.shadow_copy_share : null,
        path: keptById.get(copy.copy)?.path ?? null,
        created: set.started,
        client: set.client,
        account: set.account,
        status: set.status,
        kept: keptById.get(copy.copy) ?? null,
    }))));
    const seen = new Set(existing.map(each => each.copy));
    const outlived = kept.filter(each => !seen.has(each.copy)).map((each): CopyRow => ({
        key: each.copy,
        copy: each.copy,
        set: each.set,
        share: each.share,
        volume: each.volume,
        provider: each.provider,
        shadowShare: null,
        path: each.path,
        created: each.created,
        client: "",
        account: "",
        status: null,
        kept: each,
    }));
    return [...existing, ...outlived].sort((one, other) => other.created - one.created);
}

/** A filter finds a copy by all that its row shows, and by its ids. */
export function rowMatches(row: CopyRow, filter: string): boolean {
    const { share, copy, set, volume, client, account, status, shadowShare } = row;
    return matches([share, copy, set, volume, client, account, status, shadowShare, row.kept?.status].join(" "), filter);
}

/** What the deletion of copies would free. */
export function bytesOf(copies: KeptCopy[]): string {
    const known = copies.flatMap(each => each.bytes ?? []);
    if (known.length < copies.length) return _("unknown");
    return size(known.reduce((sum, each) => sum + each, 0));
}
