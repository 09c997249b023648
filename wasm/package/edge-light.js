import module from "./secretfig_bg.wasm?module";
import { start } from "./index.js";

start(module);
export { Config, isSecretfigError, load } from "./index.js";
