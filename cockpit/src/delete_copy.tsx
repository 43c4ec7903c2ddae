// What a deletion means, as the agent's dry run says, and the deletion.

import { Alert, Button, Content, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { agent } from "./agent";
import type { CopyRow } from "./copy_rows";
import { ask } from "./fsrvpctl";
import type { Deletion, Removal } from "./json";
import { Loading, Name, Refused, useAction } from "./parts";
import { _, say, shown } from "./text";

/** A copy of a set is deleted with the set; one that has outlived its set, alone. */
async function remove(row: CopyRow, ...options: string[]): Promise<Meaning> {
    if (row.status !== null) {
        const { shares, snapshots, kept } = await ask<Removal>("delete-set", ...options, row.set);
        return { shares, snapshots, kept, refusal: null };
    }
    const [found] = await ask<Deletion[]>("delete-kept", ...options, row.copy);
    const refusal = found && !found.deleted && options.length === 0 ? found.reason : null;
    return { shares: [], snapshots: [found?.snapshot ?? row.copy], kept: [], refusal };
}

interface Meaning {
    shares: string[];
    snapshots: string[];
    kept: string[];
    refusal: string | null;
}

export function DeleteDialog({ row, close }: { row: CopyRow; close: () => void }): ReactNode {
    const dryRun = useAction();
    const deletion = useAction();
    const [meaning, setMeaning] = useState<Meaning | null>(null);
    const { run } = dryRun;
    // The row changes with every event; what it is the row of does not.
    useEffect(() => { run(() => remove(row, "--dry-run"), setMeaning); }, [run, row.key]); // eslint-disable-line react-hooks/exhaustive-deps
    const act = (): void => {
        deletion.run(() => remove(row), done => {
            void agent.refresh();
            if (done.refusal === null) close();
            else setMeaning(done);
        });
    };
    return (
        <Modal isOpen variant="medium" onClose={close} aria-labelledby="delete-title">
            <ModalHeader labelId="delete-title" titleIconVariant="warning"
                         title={row.status === null ? say("Delete the kept copy of $0?", shown(row.share)) : say("Delete the set $0?", row.set)} />
            <ModalBody tabIndex={0} aria-label={_("What is deleted")}>
                <Refused error={dryRun.error ?? deletion.error ?? meaning?.refusal ?? null} />
                {meaning ? <WhatIsDeleted meaning={meaning} /> : dryRun.busy && <Loading />}
            </ModalBody>
            <ModalFooter>
                <Button variant="danger" isLoading={deletion.busy} isDisabled={meaning === null || deletion.busy} onClick={act}>
                    {_("Delete")}
                </Button>
                <Button variant="link" onClick={close}>{_("Cancel")}</Button>
            </ModalFooter>
        </Modal>
    );
}

function WhatIsDeleted({ meaning }: { meaning: Meaning }): ReactNode {
    return (
        <>
            <List title={_("Clients lose these shares at once; open files in them are lost:")} items={meaning.shares} />
            <List title={_("These snapshots are deleted, and cannot be had back:")} items={meaning.snapshots} />
            {meaning.kept.length > 0 && <Alert isInline isPlain variant="info" title={_("Kept snapshots outlive the set")} />}
            <List title={_("These stay as kept copies:")} items={meaning.kept} />
        </>
    );
}

function List({ title, items }: { title: string; items: string[] }): ReactNode {
    return items.length > 0 && (
        <>
            <Content component="p">{title}</Content>
            <ul>{items.map(each => <li key={each}><Name>{each}</Name></li>)}</ul>
        </>
    );
}
