/**
 * The three functions of the Reflect metadata proposal that the X.509 library's injection container insists on.
 *
 * Not for: anything else. A polyfill that is loaded already is left alone.
 */

/** Adds `Reflect.getMetadata`, `getOwnMetadata` and `defineMetadata` where the runtime has none. */
export function ensureReflectMetadata(): void {
  if ("getMetadata" in Reflect) return;
  const store = new WeakMap<object, Map<unknown, unknown>>();
  const getOwnMetadata = (key: unknown, target: object): unknown => store.get(target)?.get(key);
  const defineMetadata = (key: unknown, value: unknown, target: object): void => {
    const entries = store.get(target) ?? new Map<unknown, unknown>();
    store.set(target, entries.set(key, value));
  };
  const getMetadata = (key: unknown, target: object): unknown => {
    for (let owner: object | null = target; owner !== null; owner = Reflect.getPrototypeOf(owner)) {
      if (store.get(owner)?.has(key)) return getOwnMetadata(key, owner);
    }
    return undefined;
  };
  Object.assign(Reflect, { getMetadata, getOwnMetadata, defineMetadata });
}
