// Small parts that several views use.

import { Alert, Button, Flex, FlexItem, Spinner } from "@patternfly/react-core";
import { useCallback, useState } from "react";
import type { ReactNode } from "react";
import { CommandError } from "./fsrvpctl";
import { _, serversTime, shown, viewersTime } from "./text";

/** A name that others have chosen. It is text whatever it holds, and keeps its direction to itself. */
export const Name = ({ children }: { children: string }): ReactNode => <bdi className="name">{shown(children)}</bdi>;

/** A moment in the viewer's zone; the server's is shown on hover. */
export const Moment = ({ at }: { at: number }): ReactNode => (
    <time dateTime={new Date(at * 1000).toISOString()} title={serversTime(at)}>{viewersTime(at)}</time>
);

async function copy(text: string): Promise<void> {
    // Browsers have a clipboard only for https and localhost, and Cockpit is also used without.
    if ("clipboard" in navigator && window.isSecureContext) {
        await navigator.clipboard.writeText(text);
        return;
    }
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    document.execCommand("copy");
    area.remove();
}

/** Something to type, with a button that copies it. */
export function Typed({ text, label }: { text: string; label: string }): ReactNode {
    const [done, setDone] = useState(false);
    return (
        <Flex className="typed" columnGap={{ default: "columnGapSm" }}>
            <FlexItem><code>{text}</code></FlexItem>
            <FlexItem>
                <Button variant="secondary" size="sm" aria-label={label} onClick={() => {
                    void copy(text).then(() => { setDone(true); });
                }}>
                    {done ? _("Copied") : _("Copy")}
                </Button>
            </FlexItem>
        </Flex>
    );
}

export const Loading = (): ReactNode => <Spinner aria-label={_("Asking the agent")} />;

export interface Action {
    busy: boolean;
    error: string | null;
    /** Run a command; `after` only when it has succeeded. */
    run: <Result>(command: () => Promise<Result>, after?: (result: Result) => void) => void;
}

/** One command at a time, and why it failed. */
export function useAction(): Action {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<string | null>(null);
    const run = useCallback<Action["run"]>((command, after) => {
        setBusy(true);
        setError(null);
        command().then(
            result => { setBusy(false); after?.(result); },
            (reason: unknown) => {
                setBusy(false);
                setError(reason instanceof CommandError ? reason.text || String(reason.problem) : String(reason));
            },
        );
    }, []);
    return { busy, error, run };
}

/** What a command said when it failed. */
export const Refused = ({ error }: { error: string | null }): ReactNode =>
    error !== null && <Alert isInline variant="danger" title={_("The agent has refused this")}>
        <Name>{error}</Name>
    </Alert>;
