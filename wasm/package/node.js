import { readFileSync } from "node:fs"; import { initSync } from "./secretfig.js"; initSync({ module: readFileSync(new URL("./secretfig_bg.wasm", import.meta.url)) });
export * from "./index.js";
