// The page in place of all views when the agent cannot be asked: what is wrong, and what to do.

import { Button, Content, EmptyState, EmptyStateBody, EmptyStateFooter } from "@patternfly/react-core";
import type { ReactNode } from "react";
import { agent } from "./agent";
import type { Trouble } from "./agent";
import { Name, Typed } from "./parts";
import { _, say } from "./text";

interface Advice {
    title: string;
    why: string;
    said?: string;
    commands: string[];
}

function advice(trouble: Trouble): Advice {
    switch (trouble.kind) {
    case "missing":
        return {
            title: _("fsrvpd is not installed"),
            why: _("This server has no program fsrvpctl. Install the agent and set it up, as root:"),
            commands: ["apt install fsrvpd", "fsrvpctl setup"],
        };
    case "stopped":
        return {
            title: _("The agent is not running"),
            why: _("Nobody can make shadow copies now. To start it, and to see why it ended, type as root:"),
            said: trouble.problem.text,
            commands: [trouble.problem.next_step],
        };
    case "no-rights":
        return {
            title: _("You have limited access"),
            why: _("Shadow copies are for administrators. Turn on administrative access with the button at the top of Cockpit; this page then goes on by itself."),
            said: trouble.text,
            commands: [],
        };
    case "other-version":
        return {
            title: _("The agent is of another version"),
            why: say("This page needs version $0 of its JSON, or a later one of the same kind. Install both of one version, then restart the agent and reload this page:", JSON_VERSION),
            said: say("The agent: $0", trouble.text),
            commands: ["apt install fsrvpd cockpit-fsrvpd", "systemctl restart fsrvpd"],
        };
    case "failed":
        return {
            title: _("The agent cannot be asked"),
            why: _("This says what is wrong on this server:"),
            said: trouble.text,
            commands: ["fsrvpctl doctor"],
        };
    }
}

export function TroublePage({ trouble }: { trouble: Trouble }): ReactNode {
    const { title, why, said, commands } = advice(trouble);
    return (
        <EmptyState titleText={title} headingLevel="h2" status={trouble.kind === "no-rights" ? "info" : "warning"}>
            <EmptyStateBody>
                {said !== undefined && <Content component="p"><Name>{said}</Name></Content>}
                <Content component="p">{why}</Content>
                {commands.map(each => <Typed key={each} text={each} label={say("Copy: $0", each)} />)}
            </EmptyStateBody>
            <EmptyStateFooter>
                <Button onClick={agent.connect}>{_("Try again")}</Button>
            </EmptyStateFooter>
        </EmptyState>
    );
}
