// `fsrvpctl doctor`: checks of the whole installation, with a copy that is made, read and deleted.

import { Alert, Button, Content, Stack, StackItem } from "@patternfly/react-core";
import { useState } from "react";
import type { ReactNode } from "react";
import { command } from "./fsrvpctl";
import type { Finding } from "./json";
import { Loading, Name, Refused, Typed, useAction } from "./parts";
import { _, say } from "./text";

const VARIANTS = { ok: "success", note: "info", warn: "warning", fail: "danger" } as const;

export function Doctor(): ReactNode {
    const { busy, error, run } = useAction();
    const [findings, setFindings] = useState<Finding[]>([]);
    return (
        <Stack hasGutter>
            <StackItem>
                <Content component="p">
                    {_("The doctor checks Samba, fsrvpd and the storage of the shares, then makes, reads and deletes a copy of one share.")}
                </Content>
                <Button isLoading={busy} isDisabled={busy}
                        onClick={() => { setFindings([]); run(() => command<Finding[]>("doctor", "--json"), setFindings); }}>
                    {_("Run the doctor")}
                </Button>
            </StackItem>
            <StackItem><Refused error={error} />{busy && <Loading />}</StackItem>
            {findings.map((each, number) => (
                <StackItem key={number}>
                    <Alert isInline variant={VARIANTS[each.severity]} component="h2"
                           title={<Name>{`${each.topic}: ${each.text}`}</Name>}>
                        {each.next_step !== "" && <Typed text={each.next_step} label={say("Copy: $0", each.next_step)} />}
                    </Alert>
                </StackItem>
            ))}
        </Stack>
    );
}
