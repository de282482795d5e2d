// Bundles one file per widget into ../static. The output is committed: installing needs no node.
// `npm ci && npm run build` gives the same bytes again; a test compares them.
import { build } from "esbuild";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const WIDGETS = ["charts", "overview", "forms", "console", "screen", "frame"];

await build({
  entryPoints: ["stub", ...WIDGETS].map((name) => `src/${name}.js`),
  outdir: "../static",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  loader: { ".css": "text" },
  legalComments: "none",
  logLevel: "info",
});

const packages = Object.keys(JSON.parse(readFileSync("package.json", "utf8")).dependencies);
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
