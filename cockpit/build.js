// Bundle the page into dist/, or the directory that the first argument names.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist");
// What the page understands. Tests build one that wants another version.
const agent = readFileSync(join(here, "../fsrvpd/__init__.py"), "utf8");
const version = process.env.FSRVPD_JSON_VERSION ?? agent.match(/^JSON_VERSION = "(.+?)"/m)[1];

// A catalogue of gettext, one line for each text, as cockpit.js wants it.
function writeCatalogue(language) {
    const text = readFileSync(join(here, `po/${language}.po`), "utf8");
    const entries = [...text.matchAll(/^msgid (".+")\nmsgstr (".+")$/gm)];
    const texts = Object.fromEntries(entries.map(([, id, said]) => [JSON.parse(id), [null, JSON.parse(said)]]));
    const header = { language, "language-direction": "ltr" };
    writeFileSync(join(out, `po.${language}.js`), `cockpit.locale(${JSON.stringify({ "": header, ...texts })});\n`);
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const built = await build({
    entryPoints: [join(here, "src/index.tsx")],
    outdir: out,
    bundle: true,
    minify: true,
    target: "es2022",
    jsx: "automatic",
    // Cockpit's content security policy takes fonts from files, not from data: URLs.
    loader: { ".woff2": "file", ".svg": "file", ".jpg": "file", ".png": "file" },
    assetNames: "[name]",
    define: {
        "process.env.NODE_ENV": '"production"',
        JSON_VERSION: JSON.stringify(version),
    },
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
});
for (const name of readdirSync(join(here, "po"))) writeCatalogue(name.replace(/\.po$/, ""));
for (const name of ["index.html", "manifest.json"]) copyFileSync(join(here, name), join(out, name));
for (const [name, { bytes }] of Object.entries(built.metafile.outputs))
    if (/\.(js|css)$/.test(name)) console.log(`${name}: ${Math.round(bytes / 1024)} KiB`);
