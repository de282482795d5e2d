// Bundles one file per widget into ../static. The output is committed: installing needs no node.
// `npm ci && npm run build` gives the same bytes again; a test compares them.
import { build } from "esbuild";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const WIDGETS = ["charts", "console", "overview"];

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
const parts = packages.map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const file = ["LICENSE", "LICENSE.txt"].find((each) => existsSync(`node_modules/${name}/${each}`));
  const text = readFileSync(`node_modules/${name}/${file}`, "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(
  "../static/LICENSES.txt",
  `The JavaScript files here contain the following packages.\n\n${parts.join("\n")}`,
);
