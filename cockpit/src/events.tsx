// The events since the page was opened, as they happen.

import { Content } from "@patternfly/react-core";
import { Td, Tr } from "@patternfly/react-table";
import type { ReactNode } from "react";
import { useAgent } from "./agent";
import { FilteredTable } from "./filtered_table";
import type { AgentEvent } from "./json";
import { Moment, Name, Typed } from "./parts";
import { _, matches, say } from "./text";

const JOURNAL = "journalctl -u fsrvpd"; // has those from before

const asText = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value);

function fieldsOf(event: AgentEvent): string {
    return Object.entries(event.fields).map(([name, value]) => `${name}=${asText(value)}`).join(" ");
}

function eventMatches(event: AgentEvent, filter: string): boolean {
    return matches(`${event.id} ${event.event} ${event.text} ${fieldsOf(event)}`, filter);
}

export function Events(): ReactNode {
    const { events } = useAgent();
    return (
        <>
            <Content component="p">{_("Events since this page was opened; the filter takes ids, names, clients and sets. Earlier ones are in the journal:")}</Content>
            <Typed text={JOURNAL} label={say("Copy: $0", JOURNAL)} />
            <FilteredTable
                label={_("Events")}
                columns={[_("Time"), _("Id"), _("Event"), _("What happened")]}
                rows={events}
                matches={eventMatches}
                empty={_("Nothing has happened yet.")}
                draw={each => <EventRow key={`${each.time} ${fieldsOf(each)}`} event={each} />}
            />
        </>
    );
}

const EventRow = ({ event }: { event: AgentEvent }): ReactNode => (
    <Tr>
        <Td dataLabel={_("Time")}><Moment at={event.time} /></Td>
        <Td dataLabel={_("Id")}>{event.id}</Td>
        <Td dataLabel={_("Event")}>{event.event}</Td>
        <Td dataLabel={_("What happened")}>
            <Name>{event.text}</Name>
            <Content component="small"><Name>{fieldsOf(event)}</Name></Content>
        </Td>
    </Tr>
);
