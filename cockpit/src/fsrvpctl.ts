// Runs fsrvpctl in the session of the person who looks at the page: by argument vector, no shell.

/** Why a command did not do what it should. `text` is what it said itself. */
export class CommandError extends Error {
    constructor(
        readonly problem: string | null,
        readonly exitStatus: number | null,
        readonly text: string,
    ) {
        super(text);
    }
}

function failed(reason: unknown): CommandError {
    const { problem, exit_status, message } = reason as ProcessFailure;
    return new CommandError(problem, exit_status, message);
}

/** With administrative access where the person has it, otherwise as the person. */
function spawn(argv: string[]): Spawned {
    return cockpit.spawn(argv, { superuser: "try", err: "message", environ: ["LC_ALL=C.UTF-8"] });
}

/** The reply of the daemon to a message. */
export async function ask<Reply>(message: string, ...parameters: string[]): Promise<Reply> {
    return await command<Reply>("fsrvpd", message, "--json", ...parameters);
}

/** What a command prints, also one that ends with 1 or 3 because that is bad news. */
export async function command<Reply>(...words: string[]): Promise<Reply> {
    let printed = "";
    try {
        await spawn(["fsrvpctl", ...words]).stream(text => {
            printed += text;
        });
    } catch (reason) {
        const error = failed(reason);
        if (printed === "" || (error.exitStatus !== 1 && error.exitStatus !== 3)) throw error;
    }
    return JSON.parse(printed) as Reply;
}

/** Options first; what comes after `--` is a name even if it begins with a dash. */
export function names(...given: string[]): string[] {
    return ["--", ...given];
}

/** The output of another program. */
export async function output(...argv: string[]): Promise<string> {
    try {
        return await spawn(argv);
    } catch (reason) {
        throw failed(reason);
    }
}

/** Call `onLine` for each line that an endless message prints, and `onEnd` when it has ended by
 *  itself. Returns what ends it. */
export function follow(
    message: string,
    onLine: (line: unknown) => void,
    onEnd: (error: CommandError) => void,
): () => void {
    let rest = "";
    let wanted = true;
    const running = spawn(["fsrvpctl", "fsrvpd", message, "--json"]);
    void running.stream(text => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (wanted) onLine(JSON.parse(line));
    });
    void running.then(
        () => {
            if (wanted) onEnd(new CommandError(null, 0, ""));
        },
        (reason: unknown) => {
            if (wanted) onEnd(failed(reason));
        },
    );
    return () => {
        wanted = false;
        running.close("terminated");
    };
}
