import module from "./secretfig_bg.wasm?module"; import { initSync } from "./secretfig.js"; initSync({ module });
export * from "./index.js";
