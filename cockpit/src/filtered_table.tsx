// A table with a filter and pages: only one page of rows is drawn, so 10,000 are no burden.

import { Content, Pagination, SearchInput, Toolbar, ToolbarContent, ToolbarItem } from "@patternfly/react-core";
import { Table, Tbody, Th, Thead, Tr } from "@patternfly/react-table";
import { useMemo, useState } from "react";
import type { ReactNode } from "react";
import { _ } from "./text";

interface Properties<Row> {
    label: string;
    columns: string[];
    rows: Row[];
    matches: (row: Row, filter: string) => boolean;
    draw: (row: Row) => ReactNode;
    /** Shown when there is no row at all. */
    empty: string;
    actions?: ReactNode;
}

export function FilteredTable<Row>({ label, columns, rows, matches, draw, empty, actions }: Properties<Row>): ReactNode {
    const [filter, setFilter] = useState("");
    const [wantedPage, setPage] = useState(1);
    const [perPage, setPerPage] = useState(20);
    const found = useMemo(
        () => filter.trim() === "" ? rows : rows.filter(each => matches(each, filter.trim())),
        [rows, filter, matches],
    );
    const page = Math.max(1, Math.min(wantedPage, Math.ceil(found.length / perPage)));
    const choose = (text: string): void => { setFilter(text); setPage(1); };
    return (
        <>
            <Toolbar>
                <ToolbarContent>
                    <ToolbarItem>
                        <SearchInput aria-label={_("Filter")} placeholder={_("Filter")} value={filter}
                                     onChange={(_event, text) => { choose(text); }} onClear={() => { choose(""); }}
                                     resetButtonLabel={_("Clear the filter")} />
                    </ToolbarItem>
                    {actions !== undefined && <ToolbarItem>{actions}</ToolbarItem>}
                    <ToolbarItem variant="pagination">
                        <Pagination itemCount={found.length} page={page} perPage={perPage} isCompact
                                    onSetPage={(_event, next) => { setPage(next); }}
                                    onPerPageSelect={(_event, next) => { setPerPage(next); setPage(1); }} />
                    </ToolbarItem>
                </ToolbarContent>
            </Toolbar>
            {found.length === 0
                ? <Content component="p">{rows.length === 0 ? empty : _("Nothing matches the filter.")}</Content>
                : <Table aria-label={label} variant="compact">
                    <Thead><Tr>{columns.map(each => <Th key={each} modifier="wrap">{each}</Th>)}</Tr></Thead>
                    <Tbody>{found.slice((page - 1) * perPage, page * perPage).map(draw)}</Tbody>
                </Table>}
        </>
    );
}
