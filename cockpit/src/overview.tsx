// Is all well, and if not, what to type; the sets that are being made; space.

import { Alert, Card, CardBody, CardTitle, Content, Progress, Stack, StackItem } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import type { ReactNode } from "react";
import { useAgent } from "./agent";
import { bytesOf } from "./copy_rows";
import type { KeptCopy, Problem, ShadowCopySet, Volume } from "./json";
import { Moment, Name, Typed } from "./parts";
import { _, say, size } from "./text";
import { Timeline } from "./timeline";

/** Statuses in which a set is complete or is being ended; in all others somebody works on it. */
const DONE = new Set(["Recovered", "Removing"]);

export function Overview(): ReactNode {
    const { status, sets, kept, history } = useAgent();
    return (
        <Stack hasGutter>
            <StackItem><Problems problems={status?.problems ?? []} leftOut={status?.problems_left_out ?? 0} /></StackItem>
            <StackItem><InTheMaking sets={(sets ?? []).filter(each => !DONE.has(each.status))} /></StackItem>
            <StackItem><Timeline sets={history?.sets ?? []} asked={history?.asked ?? 0} /></StackItem>
            <StackItem><Space volumes={status?.volumes ?? []} kept={kept ?? []} /></StackItem>
        </Stack>
    );
}

function Problems({ problems, leftOut }: { problems: Problem[]; leftOut: number }): ReactNode {
    if (problems.length === 0) return <Alert isInline variant="success" title={_("All is well")} component="h2" />;
    return (
        <Stack hasGutter>
            {problems.map(each => (
                <Alert key={`${each.what} ${each.object}`} isInline variant="warning" component="h2"
                       title={<Name>{each.text}</Name>}>
                    {each.next_step !== "" && <Typed text={each.next_step} label={say("Copy: $0", each.next_step)} />}
                </Alert>
            ))}
            {leftOut > 0 && <Content component="p">{say("$0 problems more are not shown.", leftOut)}</Content>}
        </Stack>
    );
}

function InTheMaking({ sets }: { sets: ShadowCopySet[] }): ReactNode {
    return (
        <Card>
            <CardTitle component="h2">{_("Sets being made")}</CardTitle>
            <CardBody>
                {sets.length === 0 ? <Content component="p">{_("Nobody makes a shadow copy now.")}</Content> : (
                    <Table aria-label={_("Sets being made")} variant="compact">
                        <Thead><Tr>
                            <Th>{_("Shares")}</Th><Th>{_("Stage")}</Th><Th>{_("Client")}</Th>
                            <Th>{_("Account")}</Th><Th>{_("Started")}</Th>
                        </Tr></Thead>
                        <Tbody>{sets.map(each => <SetRow key={each.set} set={each} />)}</Tbody>
                    </Table>
                )}
            </CardBody>
        </Card>
    );
}

function SetRow({ set }: { set: ShadowCopySet }): ReactNode {
    const shares = set.copies.flatMap(copy => copy.shares.map(each => each.share));
    const files = set.copies.reduce((sum, copy) => sum + (copy.progress?.files ?? 0), 0);
    return (
        <Tr>
            <Td dataLabel={_("Shares")}><Name>{shares.join(", ")}</Name></Td>
            <Td dataLabel={_("Stage")}>{files > 0 ? say("$0, $1 files", set.status, files) : set.status}</Td>
            <Td dataLabel={_("Client")}><Name>{set.client}</Name></Td>
            <Td dataLabel={_("Account")}><Name>{set.account}</Name></Td>
            <Td dataLabel={_("Started")}><Moment at={set.started} /></Td>
        </Tr>
    );
}

function Space({ volumes, kept }: { volumes: Volume[]; kept: KeptCopy[] }): ReactNode {
    return (
        <Card>
            <CardTitle component="h2">{_("Space")}</CardTitle>
            <CardBody>
                <Table aria-label={_("Space")} variant="compact">
                    <Thead><Tr>
                        <Th>{_("Volume")}</Th><Th>{_("Used")}</Th><Th>{_("Free")}</Th>
                        <Th>{_("Snapshots")}</Th><Th modifier="wrap">{_("Held by kept copies")}</Th>
                    </Tr></Thead>
                    <Tbody>{volumes.map(each => (
                        <Tr key={each.volume}>
                            <Td dataLabel={_("Volume")}><Name>{each.volume}</Name></Td>
                            <Td dataLabel={_("Used")} className="bar">
                                <Progress value={100 * (1 - each.free_bytes / each.size_bytes)} size="sm"
                                          measureLocation="outside" aria-label={say("Used of $0", each.volume)} />
                            </Td>
                            <Td dataLabel={_("Free")}>{say("$0 of $1", size(each.free_bytes), size(each.size_bytes))}</Td>
                            <Td dataLabel={_("Snapshots")}>{say("$0, $1 of them kept", each.snapshots, each.kept)}</Td>
                            <Td dataLabel={_("Held by kept copies")}>
                                {bytesOf(kept.filter(copy => copy.volume === each.volume))}
                            </Td>
                        </Tr>
                    ))}</Tbody>
                </Table>
            </CardBody>
        </Card>
    );
}
