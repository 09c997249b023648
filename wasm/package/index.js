import { load as open } from "./secretfig.js";

const freed = () => {
  const hint = "load anew, or free it later", message = `this configuration was freed \u2192 ${hint}`;
  const fault = { key: "", kind: "misconfigured", source: undefined, secret: undefined, hint };
  return Object.assign(new Error(message), fault, { name: "SecretfigError", faults: [{ ...fault, message }] });
};

// Around the object that lives in linear memory: what was freed there must not be asked again, not even by mistake.
export class Config {
  #inner;
  constructor(inner) { this.#inner = inner; }
  #held() {
    if (!this.#inner) throw freed();
    return this.#inner;
  }
  get(path, context) { return this.#held().get(path, context); }
  section(name, context) { return this.#held().section(name, context); }
  explain() { return this.#held().explain(); }
  refresh() { return this.#held().refresh(); }
  free() {
    const inner = this.#inner;
    this.#inner = undefined;
    inner?.free();
  }
}
if (Symbol.dispose) Config.prototype[Symbol.dispose] = Config.prototype.free;

export const load = (options) => open(options).then((inner) => new Config(inner));
export const isSecretfigError = (error) => error instanceof Error && error.name === "SecretfigError";
