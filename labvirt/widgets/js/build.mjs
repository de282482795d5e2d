// Bundles one file per widget into ../static. The output is committed: installing needs no node.
// `npm ci && npm run build` gives the same bytes again; a test compares them.
import { build } from "esbuild";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const WIDGETS = ["charts", "overview", "forms", "console", "screen", "xmledit", "lists", "frame", "doctor"];

const { metafile } = await build({
  entryPoints: ["stub", "clerk", ...WIDGETS].map((name) => `src/${name}.js`),
  outdir: "../static",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  loader: { ".css": "text" },
  legalComments: "none",
  logLevel: "info",
  metafile: true,
});

// What each file is made of, in bytes: `python -m tests.bench sizes` shows it.
const nameOf = (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "labvirt";
const made = {};
for (const [file, { inputs, bytes }] of Object.entries(metafile.outputs).sort()) {
  const parts = {};
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    if (bytesInOutput) parts[nameOf(path)] = (parts[nameOf(path)] ?? 0) + bytesInOutput;
  }
  const name = file.split("/").at(-1);
  made[name] = { bytes, parts: Object.fromEntries(Object.entries(parts).sort()) };
}
writeFileSync("../static/parts.json", `${JSON.stringify(made, null, 1)}\n`);

const packages = [...new Set(Object.values(made).flatMap(({ parts }) => Object.keys(parts)))]
  .filter((name) => name !== "labvirt")
  .sort();
const here = (path) => `node_modules/${path}`;
// noVNC's own LICENSE names these two.
const MORE = {
  "@novnc/novnc": ["docs/LICENSE.MPL-2.0", "vendor/pako/LICENSE"],
};
const parts = packages.map((name) => {
  const { version, license } = JSON.parse(readFileSync(here(`${name}/package.json`), "utf8"));
  const first = ["LICENSE", "LICENSE.txt"].find((each) => existsSync(here(`${name}/${each}`)));
  const texts = [first, ...(MORE[name] ?? [])].map((each) => readFileSync(here(`${name}/${each}`), "utf8").trim());
  const source = `Unmodified; its source is https://registry.npmjs.org/${name}/-/${name.split("/").at(-1)}-${version}.tgz`;
  return `${name} ${version} (${license})\n${source}\n\n${texts.join("\n\n")}\n`;
});
writeFileSync(
  "../static/LICENSES.txt",
  `The JavaScript files here contain the following packages.\n\n${parts.join("\n")}`,
);
