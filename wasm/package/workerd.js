import module from "./secretfig_bg.wasm";
import { start } from "./index.js";

start(module);
export { Config, isSecretfigError, load } from "./index.js";
