// What the page uses of ../base1/cockpit.js, which Cockpit serves.

/** The version of the JSON, MAJOR.MINOR, that the page was built for. */
declare const JSON_VERSION: string;

interface ProcessFailure {
    problem: string | null;
    exit_status: number | null;
    message: string;
}

interface Spawned extends Promise<string> {
    stream(callback: (text: string) => void): Spawned;
    close(problem?: string): void;
}

interface CockpitEvents {
    addEventListener(event: string, callback: () => void): void;
    removeEventListener(event: string, callback: () => void): void;
}

interface Permission extends CockpitEvents {
    /** null while it is not known. */
    allowed: boolean | null;
    close(): void;
}

interface CockpitLocation {
    path: string[];
    options: Record<string, string | string[]>;
    go(path: string[], options?: Record<string, string>): void;
}

declare const cockpit: CockpitEvents & {
    language?: string;
    location: CockpitLocation;
    transport: { host: string };
    spawn(
        argv: string[],
        options: { superuser: "try"; err: "message"; environ: string[] },
    ): Spawned;
    permission(options: { admin: true }): Permission;
    gettext(text: string): string;
    ngettext(one: string, many: string, number: number): string;
    format(template: string, ...values: (string | number)[]): string;
};

declare module "*.css";
