import { start } from "./index.js";

// compiled from its bytes, so that it does not matter of which type the server says it is
const answer = await fetch(new URL("./secretfig_bg.wasm", import.meta.url));
if (!answer.ok) throw new Error(`secretfig_bg.wasm: ${answer.status}`);
start(await WebAssembly.compile(await answer.arrayBuffer()));
export { Config, isSecretfigError, load } from "./index.js";
