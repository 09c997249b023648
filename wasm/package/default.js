import init from "./secretfig.js"; await init();
export * from "./index.js";
