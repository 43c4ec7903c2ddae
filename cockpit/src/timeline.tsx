// The sets of the last week, one row for each share: each a bar from Commit to its end.

import { Card, CardBody, CardTitle, Content } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useMemo } from "react";
import type { ReactNode } from "react";
import type { HistorySet } from "./json";
import { Name } from "./parts";
import { _, say, viewersTime } from "./text";

const WEEK = 7 * 86400; // s
const MOST_ROWS = 25;
const NARROWEST = 0.4; // % of a week: 40 minutes, so that no set is too narrow to be seen
const FAILED = new Set(["failed", "timed-out", "interrupted"]);

interface ShareRow {
    share: string;
    sets: HistorySet[];
    failed: number;
}

/** `asked`: when the agent was asked for these sets, which is where the week ends. */
export function Timeline({ sets, asked }: { sets: HistorySet[]; asked: number }): ReactNode {
    const rows = useMemo(() => byShare(sets), [sets]);
    return (
        <Card>
            <CardTitle component="h2">{_("The last seven days")}</CardTitle>
            <CardBody>
                {rows.length === 0 ? <Content component="p">{_("Nobody has made a shadow copy.")}</Content> : (
                    <Table aria-label={_("The last seven days")} variant="compact">
                        <Thead><Tr><Th>{_("Share")}</Th><Th>{_("Sets")}</Th><Th>{_("Failed")}</Th><Th>{_("When")}</Th></Tr></Thead>
                        <Tbody>{rows.slice(0, MOST_ROWS).map(each => <TimelineRow key={each.share} row={each} now={asked} />)}</Tbody>
                    </Table>
                )}
                {rows.length > MOST_ROWS && <Content component="small">{say("$0 shares more are not shown.", rows.length - MOST_ROWS)}</Content>}
            </CardBody>
        </Card>
    );
}

/** Shares with failures first, then those whose last set is the newest. */
function byShare(sets: HistorySet[]): ShareRow[] {
    const rows = new Map<string, ShareRow>();
    for (const set of sets) {
        if (set.client === "self-test") continue;
        for (const share of set.shares) {
            const row = rows.get(share) ?? { share, sets: [], failed: 0 };
            row.sets.push(set);
            if (FAILED.has(set.outcome)) row.failed += 1;
            rows.set(share, row);
        }
    }
    return [...rows.values()].sort((one, other) => Number(other.failed > 0) - Number(one.failed > 0));
}

function TimelineRow({ row, now }: { row: ShareRow; now: number }): ReactNode {
    const failure = row.sets.find(each => FAILED.has(each.outcome));
    return (
        <Tr>
            <Td dataLabel={_("Share")}><Name>{row.share}</Name></Td>
            <Td dataLabel={_("Sets")}>{row.sets.length}</Td>
            <Td dataLabel={_("Failed")}>
                {row.failed}
                {failure && <Content component="small"><Name>{say("$0: $1", viewersTime(failure.started), failure.reason)}</Name></Content>}
            </Td>
            <Td dataLabel={_("When")} className="bar">
                <div className="week" role="img" aria-label={say("$0 sets in seven days, $1 failed", row.sets.length, row.failed)}>
                    {row.sets.map(each => <Bar key={each.set} set={each} now={now} />)}
                </div>
            </Td>
        </Tr>
    );
}

function Bar({ set, now }: { set: HistorySet; now: number }): ReactNode {
    const percent = (seconds: number): number => 100 * Math.min(1, Math.max(0, seconds / WEEK));
    const begin = set.committed ?? set.started;
    const left = Math.min(percent(begin - (now - WEEK)), 100 - NARROWEST);
    const width = Math.max(NARROWEST, percent((set.ended ?? now) - begin));
    return (
        <span className={`set ${FAILED.has(set.outcome) ? "failed" : set.outcome}`} title={explained(set)}
              style={{ insetInlineStart: `${left}%`, inlineSize: `${Math.min(width, 100 - left)}%` }} />
    );
}

function explained(set: HistorySet): string {
    const frozen = set.freeze_ms === null ? "" : say("; applications were frozen for $0 ms", Math.round(set.freeze_ms));
    const why = set.reason === "" ? "" : `: ${set.reason}`;
    return `${viewersTime(set.committed ?? set.started)}, ${set.client}, ${set.outcome}${why}${frozen}`;
}
