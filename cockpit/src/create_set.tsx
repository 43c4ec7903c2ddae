// A set of the chosen shares, all at one moment, as `create-set` makes it.

import {
    Button, Checkbox, Content, Form, FormGroup, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader,
    SearchInput,
} from "@patternfly/react-core";
import { useState } from "react";
import type { ReactNode } from "react";
import { agent, useAgent } from "./agent";
import { ask, names } from "./fsrvpctl";
import { Refused, useAction } from "./parts";
import { _, matches, say, shown } from "./text";

const CONTEXTS: [string, () => string][] = [
    ["file-share-backup", () => _("backup of a file share")],
    ["backup", () => _("backup, with the writers of applications")],
    ["app-rollback", () => _("application rollback: survives a reboot")],
    ["nas-rollback", () => _("NAS rollback: survives a reboot")],
];
const OFFERED = 50; // shares that are offered at a time; the filter finds the others

export function CreateDialog({ close }: { close: () => void }): ReactNode {
    const [shares, setShares] = useState<string[]>([]);
    const [context, setContext] = useState("file-share-backup");
    const [keep, setKeep] = useState(false);
    const [writable, setWritable] = useState(false);
    const { busy, error, run } = useAction();
    const act = (): void => {
        const options = ["--context", context, ...(keep ? ["--keep"] : []), ...(writable ? ["--writable"] : [])];
        run(() => ask("create-set", ...options, ...names(...shares)), () => { void agent.refresh(); close(); });
    };
    return (
        <Modal isOpen variant="medium" onClose={close} aria-labelledby="create-title">
            <ModalHeader labelId="create-title" title={_("Make copies")}
                         description={_("Copies of all chosen shares show the same moment.")} />
            <ModalBody>
                <Refused error={error} />
                <Form onSubmit={event => { event.preventDefault(); }}>
                    <ShareChoice chosen={shares} choose={setShares} />
                    <FormGroup label={_("Kind")} fieldId="context">
                        <FormSelect id="context" value={context} onChange={(_event, value) => { setContext(value); }}>
                            {CONTEXTS.map(([name, words]) => <FormSelectOption key={name} value={name} label={words()} />)}
                        </FormSelect>
                    </FormGroup>
                    <Checkbox id="keep" label={_("Keep the copies when the set ends")} isChecked={keep}
                              onChange={(_event, on) => { setKeep(on); }} />
                    <Checkbox id="writable" label={_("Let users write to the copies until the set is completed")}
                              isChecked={writable} onChange={(_event, on) => { setWritable(on); }} />
                </Form>
            </ModalBody>
            <ModalFooter>
                <Button isLoading={busy} isDisabled={busy || shares.length === 0} onClick={act}>
                    {busy ? _("The snapshots are taken") : _("Make copies")}
                </Button>
                <Button variant="link" onClick={close}>{_("Cancel")}</Button>
            </ModalFooter>
        </Modal>
    );
}

interface ChoiceProperties {
    chosen: string[];
    choose: (shares: string[]) => void;
}

function ShareChoice({ chosen, choose }: ChoiceProperties): ReactNode {
    const { status } = useAgent();
    const [filter, setFilter] = useState("");
    const ready = (status?.shares ?? []).filter(each => each.state === "ready").map(each => each.share);
    const found = ready.filter(each => chosen.includes(each) || matches(each, filter.trim()));
    const toggle = (share: string, on: boolean): void => {
        choose(on ? [...chosen, share] : chosen.filter(each => each !== share));
    };
    return (
        <FormGroup role="group" label={_("Shares")} fieldId="shares">
            <SearchInput id="shares" aria-label={_("Filter the shares")} placeholder={_("Filter")} value={filter}
                         onChange={(_event, text) => { setFilter(text); }} onClear={() => { setFilter(""); }} />
            <div className="choices">
                {found.slice(0, OFFERED).map((each, number) => (
                    <Checkbox key={each} id={`share-${number}`} label={<bdi>{shown(each)}</bdi>}
                              isChecked={chosen.includes(each)} onChange={(_event, on) => { toggle(each, on); }} />
                ))}
            </div>
            {found.length > OFFERED &&
                <Content component="small">{say("$0 shares more: use the filter.", found.length - OFFERED)}</Content>}
            {ready.length === 0 && <Content component="p">{_("No share can be copied; the view Shares says why.")}</Content>}
        </FormGroup>
    );
}
