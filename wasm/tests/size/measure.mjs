// How large the package is with all that belongs to it in a Worker, beside what one would take in its place: bytes, each
// minified, `gzip -9`. measure.mjs PACKAGE TOOLS; prints JSON.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const [, , folder, tools] = process.argv;
const here = import.meta.dirname, out = mkdtempSync(join(tmpdir(), "secretfig-size-"));
const bundle = (name, ...how) => {
  const into = join(out, name);
  const esbuild = join(tools, "node_modules/esbuild/bin/esbuild");
  execFileSync("node", [esbuild, join(here, name), "--bundle", "--minify", "--log-level=error", `--outfile=${into}`, ...how], {
    env: { ...process.env, NODE_PATH: join(tools, "node_modules") },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return [readFileSync(into)];
};
const shipped = ["secretfig_bg.wasm", "index.js", "workerd.js"];
const size = (parts) => {
  const whole = Buffer.concat(parts);
  return { bytes: whole.length, gzip: gzipSync(whole, { level: 9 }).length };
};
try {
  console.log(JSON.stringify({
    secretfig: size(shipped.map((name) => readFileSync(join(folder, name)))),
    "plain fetch": size(bundle("plain.mjs", "--format=esm")),
    "node-vault": size(bundle("node-vault.mjs", "--platform=node", "--format=cjs")),
    "@aws-sdk/client-secrets-manager": size(bundle("aws-sdk.mjs", "--platform=browser", "--format=esm")),
    aws4fetch: size(bundle("aws4fetch.mjs", "--platform=browser", "--format=esm")),
  }));
} finally {
  rmSync(out, { recursive: true });
}
