// Every option with its text and default. `set-option` and `unset-option` write them, and say what counts.

import {
    Alert, Button, CodeBlock, CodeBlockCode, Content, Form, FormGroup, Modal, ModalBody, ModalFooter, ModalHeader, TextInput,
} from "@patternfly/react-core";
import { Td, Tr } from "@patternfly/react-table";
import { useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { agent, useAgent } from "./agent";
import { FilteredTable } from "./filtered_table";
import { command, names } from "./fsrvpctl";
import type { ChangedOption } from "./json";
import known from "./options.json";
import { Name, Refused, useAction } from "./parts";
import { _, matches, say, shown } from "./text";

type Option = (typeof known.global)[number];
const OFFERED = 50; // names of shares that are offered while one is typed

export function Options(): ReactNode {
    const { status } = useAgent();
    const [share, setShare] = useState("");
    const [option, setOption] = useState<Option | null>(null);
    const shares = (status?.shares ?? []).map(each => each.share).filter(each => matches(each, share));
    const options = useMemo(() => share === "" ? [...known.global, ...known.share] : known.share, [share]);
    return (
        <>
            <Form className="of-share" onSubmit={event => { event.preventDefault(); }}>
                <FormGroup label={_("Share; empty: the whole server")} fieldId="of-share">
                    <TextInput id="of-share" list="shares-offered" value={share} onChange={(_event, text) => { setShare(text); }} />
                    <datalist id="shares-offered">{shares.slice(0, OFFERED).map(each => <option key={each} value={each} />)}</datalist>
                </FormGroup>
            </Form>
            <FilteredTable
                label={_("Options")}
                columns={[_("Option"), _("Meaning"), _("Default"), _("Change")]}
                rows={options}
                matches={(each, filter) => matches(`${each.name} ${each.meaning}`, filter)}
                empty=""
                draw={each => <OptionRow key={each.name} option={each} open={() => { setOption(each); }} />}
            />
            {option !== null && <OptionDialog option={option} share={share} close={() => { setOption(null); }} />}
        </>
    );
}

const OptionRow = ({ option, open }: { option: Option; open: () => void }): ReactNode => (
    <Tr>
        <Td dataLabel={_("Option")}>{option.name}</Td>
        <Td dataLabel={_("Meaning")}>{option.meaning}</Td>
        <Td dataLabel={_("Default")}>{option.default === "" ? _("(empty)") : option.default}</Td>
        <Td dataLabel={_("Change")}>
            <Button variant="link" isInline aria-label={say("Change $0", option.name)} onClick={open}>{_("Change")}</Button>
        </Td>
    </Tr>
);

interface DialogProperties {
    option: Option;
    share: string;
    close: () => void;
}

function OptionDialog({ option, share, close }: DialogProperties): ReactNode {
    const { busy, error, run } = useAction();
    const [now, setNow] = useState<ChangedOption | null>(null);
    const [done, setDone] = useState<ChangedOption | null>(null);
    const [value, setValue] = useState("");
    const of = useMemo(() => share === "" ? [] : ["--share", share], [share]);
    const ask = (word: string, ...words: string[]): Promise<ChangedOption> =>
        command<ChangedOption>(word, "--json", ...of, ...words);
    // What counts now is said by the dry run of its removal.
    useEffect(() => {
        run(() => command<ChangedOption>("unset-option", "--json", "--dry-run", ...of, ...names(option.name)), found => {
            setNow(found);
            setValue(found.before ?? found.effective);
        });
    }, [run, of, option.name]);
    const act = (word: string, ...words: string[]): void => {
        run(() => ask(word, ...names(option.name, ...words)), found => { setDone(found); setNow(found); void agent.refresh(); });
    };
    const present = done ? done.after : now?.before ?? null; // in the section
    const where = share === "" ? _("the whole server") : shown(share);
    return (
        <Modal isOpen variant="medium" onClose={close} aria-labelledby="option-title">
            <ModalHeader labelId="option-title" title={option.name} description={say("For $0", where)} />
            <ModalBody tabIndex={0} aria-label={option.name}>
                <Refused error={error} />
                {done && <Done done={done} />}
                <Content component="p">{option.meaning}</Content>
                <Content component="p">{option.when}</Content>
                <Content component="p">{say("Now: $0", now?.effective ?? "…")}</Content>
                <Form onSubmit={event => { event.preventDefault(); }}>
                    <FormGroup label={_("Value")} fieldId="value">
                        <TextInput id="value" value={value} onChange={(_event, text) => { setValue(text); }} />
                    </FormGroup>
                </Form>
            </ModalBody>
            <ModalFooter>
                <Button isDisabled={busy || now === null} isLoading={busy} onClick={() => { act("set-option", value); }}>{_("Set")}</Button>
                <Button variant="secondary" isDisabled={busy || present === null}
                        onClick={() => { act("unset-option"); }}>{_("Remove")}</Button>
                <Button variant="link" onClick={close}>{_("Close")}</Button>
            </ModalFooter>
        </Modal>
    );
}

/** What was written, and whether it is in force. */
function Done({ done }: { done: ChangedOption }): ReactNode {
    const title = !done.changed ? _("Nothing had to be changed")
        : done.needs_restart ? _("Written; it counts when fsrvpd is restarted: systemctl restart fsrvpd")
        : done.daemon === "reloaded" ? _("Written and in force")
        : _("Written, but not in force");
    return (
        <Alert isInline variant={done.warnings.length > 0 || done.daemon === "refused" ? "warning" : "success"} title={title}>
            <ul>{done.warnings.map(each => <li key={each}><Name>{each}</Name></li>)}</ul>
            {done.change.length > 0 && <CodeBlock><CodeBlockCode>{done.change.join("\n")}</CodeBlockCode></CodeBlock>}
        </Alert>
    );
}
