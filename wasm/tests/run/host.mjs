// The package behind an interface that also goes over a wire: ids for configurations, plain objects for errors.
export function host({ load, isSecretfigError }) {
  const configs = new Map();
  const told = async (call) => {
    try {
      return { value: await call() };
    } catch (error) {
      const { kind, key, secret, source, hint, message, stack, faults } = error;
      return { error: { kind, key, secret, source, hint, message, stack, faults, typed: isSecretfigError(error) } };
    }
  };
  const of = (name) => (id, ...rest) => told(() => configs.get(id)[name](...rest));
  return {
    load: (options) => told(async () => {
      const config = await load(options), id = `${configs.size}`;
      configs.set(id, config);
      return id;
    }),
    get: of("get"), section: of("section"), explain: of("explain"), refresh: of("refresh"), free: of("free"),
  };
}
