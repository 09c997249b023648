import { readFileSync } from "node:fs";
import { start } from "./index.js";

start(new WebAssembly.Module(readFileSync(new URL("./secretfig_bg.wasm", import.meta.url))));
export { Config, isSecretfigError, load } from "./index.js";
