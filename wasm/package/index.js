export { Config, load } from "./secretfig.js";
export const isSecretfigError = (error) => error instanceof Error && error.name === "SecretfigError";
