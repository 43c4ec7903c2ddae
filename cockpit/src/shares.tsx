// Each share that smbd serves: can it be copied, if not why and what to do, and its last backup.

import { Alert, Button, Content, Label, Modal, ModalBody, ModalHeader } from "@patternfly/react-core";
import { Td, Tr } from "@patternfly/react-table";
import { useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { useAgent } from "./agent";
import { FilteredTable } from "./filtered_table";
import { ask, names } from "./fsrvpctl";
import type { CheckedPath, KeptCopy, ShareStatus } from "./json";
import { Loading, Moment, Name, Refused, useAction } from "./parts";
import { _, matches, say, shown } from "./text";

const STATES = {
    ready: { color: "green", text: () => _("ready") },
    "not-ready": { color: "orange", text: () => _("cannot be copied") },
    off: { color: "grey", text: () => _("off") },
    silent: { color: "red", text: () => _("its storage does not answer") },
    pending: { color: "grey", text: () => _("not asked yet") },
} as const;

function shareMatches(share: ShareStatus, filter: string): boolean {
    return matches([share.share, STATES[share.state].text(), share.reason, share.provider, share.volume].join(" "), filter);
}

export function Shares(): ReactNode {
    const { status, kept } = useAgent();
    const [checked, check] = useState<string | null>(null);
    const copies = useMemo(() => countByShare(kept ?? []), [kept]);
    return (
        <>
            <FilteredTable
                label={_("Shares")}
                columns={[_("Share"), _("State"), _("Provider"), _("Last completed backup"), _("Kept copies"), _("Check")]}
                rows={status?.shares ?? []}
                matches={shareMatches}
                empty={_("smbd serves no share that has a directory of its own.")}
                draw={each => <ShareRow key={each.share} share={each} kept={copies.get(each.share) ?? 0} check={check} />}
            />
            {checked !== null && <Check share={checked} close={() => { check(null); }} />}
        </>
    );
}

function countByShare(kept: KeptCopy[]): Map<string, number> {
    const counted = new Map<string, number>();
    for (const each of kept) counted.set(each.share, (counted.get(each.share) ?? 0) + 1);
    return counted;
}

interface RowProperties {
    share: ShareStatus;
    kept: number;
    check: (share: string) => void;
}

function ShareRow({ share, kept, check }: RowProperties): ReactNode {
    const state = STATES[share.state];
    const completed = share.last_backup?.completed ?? null;
    return (
        <Tr>
            <Td dataLabel={_("Share")}><Name>{share.share}</Name></Td>
            <Td dataLabel={_("State")}>
                <Label color={state.color}>{state.text()}</Label>
                {share.reason !== "" && <Content component="small"><Name>{share.reason}</Name></Content>}
            </Td>
            <Td dataLabel={_("Provider")}>{share.provider ?? "–"}</Td>
            <Td dataLabel={_("Last completed backup")}>{completed === null ? _("none") : <Moment at={completed} />}</Td>
            <Td dataLabel={_("Kept copies")}>{kept}</Td>
            <Td dataLabel={_("Check")}>
                <Button variant="link" isInline aria-label={say("Check $0", shown(share.share))}
                        onClick={() => { check(share.share); }}>{_("Check")}</Button>
            </Td>
        </Tr>
    );
}

/** What check-path says of a share: why not, and what an admin should change all the same. */
function Check({ share, close }: { share: string; close: () => void }): ReactNode {
    const { error, run } = useAction();
    const [found, setFound] = useState<CheckedPath | null>(null);
    useEffect(() => { run(() => ask<CheckedPath>("check-path", ...names(share)), setFound); }, [share, run]);
    return (
        <Modal isOpen variant="medium" onClose={close} aria-labelledby="check-title">
            <ModalHeader labelId="check-title" title={say("Can $0 be copied?", shown(share))} />
            <ModalBody tabIndex={0} aria-label={_("What the agent says")}>
                <Refused error={error} />
                {found ? <Answer found={found} /> : error === null && <Loading />}
            </ModalBody>
        </Modal>
    );
}

function Answer({ found }: { found: CheckedPath }): ReactNode {
    const title = found.supported
        ? say("Yes, with $0 on $1", found.provider ?? "", shown(found.volume ?? ""))
        : say("No: $0", found.result);
    return (
        <>
            <Alert isInline variant={found.supported ? "success" : "warning"} title={title}>
                <Name>{found.reason}</Name>
            </Alert>
            <ul>
                {Object.entries(found.refusals).map(([provider, why]) => <li key={provider}>{provider}: <Name>{why}</Name></li>)}
                {found.warnings.map(each => <li key={each}><Name>{each}</Name></li>)}
                {found.left_out.map(each => <li key={each.path}>{_("In no copy:")} <Name>{each.path}</Name> <Name>{each.why}</Name></li>)}
            </ul>
        </>
    );
}
