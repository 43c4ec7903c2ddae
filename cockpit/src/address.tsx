// Where a copy is reached: from Windows, from Linux, and on the server itself.

import {
    Content, DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm, Modal, ModalBody,
    ModalHeader,
} from "@patternfly/react-core";
import type { ReactNode } from "react";
import type { CopyRow } from "./copy_rows";
import { Typed } from "./parts";
import { _, quoted, say, shown } from "./text";

/** The server's name, as the person who looks at the page reaches it. */
function server(): string {
    const { host } = cockpit.transport;
    return host === "" || host === "localhost" ? window.location.hostname : host.replace(/^.*@/, "");
}

function addresses(row: CopyRow): [string, string][] {
    const found: [string, string][] = [];
    if (row.shadowShare !== null) {
        const unc = `//${server()}/${row.shadowShare}`;
        found.push(
            [_("Explorer"), unc.replaceAll("/", "\\")],
            [_("Linux, as root"), `mount -t cifs ${quoted(unc)} /mnt -o username=${quoted("USER")}`],
        );
    }
    if (row.path !== null) found.push([_("On this server"), row.path]);
    return found;
}

export function AddressDialog({ row, close }: { row: CopyRow; close: () => void }): ReactNode {
    const found = addresses(row);
    return (
        <Modal isOpen variant="medium" onClose={close} aria-labelledby="address-title">
            <ModalHeader labelId="address-title" title={say("Where the copy of $0 is", shown(row.share))} />
            <ModalBody tabIndex={0} aria-label={_("Addresses")}>
                {found.length === 0 && <Content component="p">{_("Nobody can reach this copy now.")}</Content>}
                <DescriptionList>
                    {found.map(([where, address]) => (
                        <DescriptionListGroup key={where}>
                            <DescriptionListTerm>{where}</DescriptionListTerm>
                            <DescriptionListDescription>
                                <Typed text={address} label={say("Copy: $0", where)} />
                            </DescriptionListDescription>
                        </DescriptionListGroup>
                    ))}
                </DescriptionList>
                {row.kept !== null && (
                    <Content component="p">
                        {_("Users find a kept copy among the previous versions of the share, if its section shows them: fsrvpctl share-config prints the lines.")}
                    </Content>
                )}
            </ModalBody>
        </Modal>
    );
}
