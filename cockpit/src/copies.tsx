// The copies of all shares, and what can be done with each.

import { Button, Content, Label, Toolbar, ToolbarContent, ToolbarItem } from "@patternfly/react-core";
import { Td, Tr } from "@patternfly/react-table";
import { useMemo, useState } from "react";
import type { ReactNode } from "react";
import { agent, useAgent } from "./agent";
import { AddressDialog } from "./address";
import { bytesOf, copyRows, rowMatches } from "./copy_rows";
import type { CopyRow } from "./copy_rows";
import { CreateDialog } from "./create_set";
import { DeleteDialog } from "./delete_copy";
import { FilteredTable } from "./filtered_table";
import { ask } from "./fsrvpctl";
import { Moment, Name, Refused, useAction } from "./parts";
import type { Action } from "./parts";
import { _, say, shown } from "./text";

type Dialog = { kind: "create" } | { kind: "delete" | "address"; row: CopyRow };

export function Copies(): ReactNode {
    const { sets, kept } = useAgent();
    const rows = useMemo(() => copyRows(sets ?? [], kept ?? []), [sets, kept]);
    const [dialog, open] = useState<Dialog | null>(null);
    const action = useAction();
    const close = (): void => { open(null); };
    return (
        <>
            <Refused error={action.error} />
            <FilteredTable
                label={_("Copies")}
                columns={[_("Share"), _("Made"), _("Status"), _("By"), _("Frees"), _("Actions")]}
                rows={rows}
                matches={rowMatches}
                empty={_("There is no copy.")}
                actions={<Button onClick={() => { open({ kind: "create" }); }}>{_("Make copies")}</Button>}
                draw={row => <Row key={row.key} row={row} action={action} open={open} />}
            />
            {dialog?.kind === "create" && <CreateDialog close={close} />}
            {dialog?.kind === "delete" && <DeleteDialog row={dialog.row} close={close} />}
            {dialog?.kind === "address" && <AddressDialog row={dialog.row} close={close} />}
        </>
    );
}

interface RowProperties {
    row: CopyRow;
    action: Action;
    open: (dialog: Dialog) => void;
}

function Row({ row, action, open }: RowProperties): ReactNode {
    return (
        <Tr>
            <Td dataLabel={_("Share")}>
                <Name>{row.share}</Name>
                <Content component="small">{row.copy}</Content>
            </Td>
            <Td dataLabel={_("Made")}><Moment at={row.created} /></Td>
            <Td dataLabel={_("Status")}>
                {row.status !== null && <Label color="blue">{row.status}</Label>}{" "}
                {row.kept !== null && <Label color="grey">{keptWord(row.kept.status)}</Label>}
                {row.kept?.reason !== undefined && row.kept.reason !== "" &&
                    <Content component="small"><Name>{row.kept.reason}</Name></Content>}
            </Td>
            <Td dataLabel={_("By")}><Name>{[row.account, row.client].filter(each => each !== "").join(", ")}</Name></Td>
            <Td dataLabel={_("Frees")}>{row.kept === null ? "–" : bytesOf([row.kept])}</Td>
            <Td dataLabel={_("Actions")}><Actions row={row} action={action} open={open} /></Td>
        </Tr>
    );
}

function keptWord(status: string): string {
    switch (status) {
    case "held": return _("held");
    case "left": return _("left alone");
    default: return _("kept");
    }
}

function Actions({ row, action, open }: RowProperties): ReactNode {
    const change = (message: string, id: string): void => {
        action.run(() => ask(message, id), () => void agent.refresh());
    };
    const held = row.kept?.status === "held";
    const buttons: [string, () => void][] = [[_("Address"), () => { open({ kind: "address", row }); }]];
    if (row.status === "Exposed") buttons.push([_("Complete"), () => { change("complete-set", row.set); }]);
    if (held) buttons.push([_("Release"), () => { change("release-set", row.copy); }]);
    else if (row.status === "Recovered" || row.kept !== null)
        buttons.push([_("Keep"), () => { change("keep-set", row.status === null ? row.copy : row.set); }]);
    buttons.push([_("Delete"), () => { open({ kind: "delete", row }); }]);
    return (
        <Toolbar isStatic inset={{ default: "insetNone" }}><ToolbarContent>
            {buttons.map(([word, act]) => (
                <ToolbarItem key={word}>
                    <Button variant="link" isInline isDisabled={action.busy} onClick={act}
                            aria-label={say("$0: copy of $1 with id $2", word, shown(row.share), row.copy)}>
                        {word}
                    </Button>
                </ToolbarItem>
            ))}
        </ToolbarContent></Toolbar>
    );
}
