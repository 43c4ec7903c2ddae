// Words, times and sizes as the person who looks at the page reads them.

import { output } from "./fsrvpctl";

export const _ = (text: string): string => cockpit.gettext(text);
/** A text with values: $0, $1… */
export const say = (text: string, ...values: (string | number)[]): string =>
    cockpit.format(cockpit.gettext(text), ...values);

const language = (): string => (cockpit.language ?? "en").replace("_", "-");

let zone = "UTC"; // the server's

/** Find the server's time zone. Without an answer it is called UTC. */
export async function learnZone(): Promise<void> {
    const file = await output("readlink", "-f", "/etc/localtime").catch(() => "");
    const name = file.trim().split("/zoneinfo/")[1];
    if (name !== undefined && isZone(name)) zone = name;
}

function isZone(name: string): boolean {
    try {
        new Intl.DateTimeFormat("en", { timeZone: name });
        return true;
    } catch {
        return false;
    }
}

function format(seconds: number, timeZone?: string): string {
    const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "medium" };
    return new Intl.DateTimeFormat(language(), timeZone === undefined ? options : { ...options, timeZone })
        .format(seconds * 1000);
}

export const viewersTime = (seconds: number): string => format(seconds);
export const serversTime = (seconds: number): string => say("$0 on the server ($1)", format(seconds, zone), zone);

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function size(bytes: number): string {
    const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
    const number = new Intl.NumberFormat(language(), { maximumFractionDigits: power === 0 ? 0 : 1 });
    return `${number.format(bytes / 1024 ** power)} ${UNITS[power] ?? ""}`;
}

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A name from elsewhere: characters that are invisible or change the direction are shown by their
 *  numbers, so that nothing looks like what it is not. */
export function shown(name: string): string {
    return name.replace(HIDDEN, each => `\\u{${(each.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Whether a text has all words of a filter, whatever their case. */
export function matches(text: string, filter: string): boolean {
    const lower = text.toLowerCase();
    return filter.toLowerCase().split(/\s+/).every(word => lower.includes(word));
}

/** A word for a shell. */
export function quoted(word: string): string {
    return /^[\w@%+=:,./{}-]+$/.test(word) && !/[{}]/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
