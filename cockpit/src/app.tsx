// The frame of all views. The view is the path of the address, as Cockpit wants it.

import { Nav, NavItem, NavList, Page, PageSection } from "@patternfly/react-core";
import { useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { useAgent } from "./agent";
import { Copies } from "./copies";
import { Doctor } from "./doctor";
import { Events } from "./events";
import { Options } from "./options";
import { Overview } from "./overview";
import { Loading } from "./parts";
import { Shares } from "./shares";
import { _ } from "./text";
import { TroublePage } from "./trouble";

const VIEWS = {
    overview: { title: () => _("Overview"), show: () => <Overview /> },
    shares: { title: () => _("Shares"), show: () => <Shares /> },
    copies: { title: () => _("Copies"), show: () => <Copies /> },
    doctor: { title: () => _("Doctor"), show: () => <Doctor /> },
    events: { title: () => _("Events"), show: () => <Events /> },
    options: { title: () => _("Options"), show: () => <Options /> },
};
type View = keyof typeof VIEWS;

function subscribe(reader: () => void): () => void {
    cockpit.addEventListener("locationchanged", reader);
    return () => { cockpit.removeEventListener("locationchanged", reader); };
}

function useView(): View {
    const first = useSyncExternalStore(subscribe, () => cockpit.location.path[0] ?? "overview");
    return first in VIEWS ? (first as View) : "overview";
}

export function App(): ReactNode {
    const { trouble, status } = useAgent();
    const view = useView();
    return (
        <Page className="pf-m-no-sidebar" isContentFilled>
            <PageSection type="subnav">
                <Nav variant="horizontal-subnav" aria-label={_("Views")}>
                    <NavList>
                        {(Object.keys(VIEWS) as View[]).map(each => (
                            <NavItem key={each} isActive={each === view} to={`#/${each}`}>{VIEWS[each].title()}</NavItem>
                        ))}
                    </NavList>
                </Nav>
            </PageSection>
            <PageSection isFilled>
                <h1 className="pf-v6-screen-reader">{VIEWS[view].title()}</h1>
                {trouble ? <TroublePage trouble={trouble} /> : status ? VIEWS[view].show() : <Loading />}
            </PageSection>
        </Page>
    );
}
