import module from "./secretfig_bg.wasm"; import { initSync } from "./secretfig.js"; initSync({ module });
export * from "./index.js";
