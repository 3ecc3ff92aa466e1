import { AsyncLocalStorage } from 'node:async_hooks';
import NodeEnvironment from 'jest-environment-node';
import { templateValidator } from './template-validator';

/** Storages that were used since the last file was done. */
const used = new Set<AsyncLocalStorage<unknown>>();

for (const method of ['run', 'enterWith'] as const) {
  const original = AsyncLocalStorage.prototype[method] as (...args: unknown[]) => unknown;
  Object.defineProperty(AsyncLocalStorage.prototype, method, {
    configurable: true,
    writable: true,
    value(this: AsyncLocalStorage<unknown>, ...args: unknown[]) {
      used.add(this);
      return original.apply(this, args);
    },
  });
}

/**
 * Node's environment, which leaves no storage of a test file behind it in the process. Each file has modules of its own,
 * and storages with them (the test runner's is one); up to Node.js 22 each that was ever used costs every asynchronous
 * operation of the process until it is disabled: after a hundred files they would take twenty times as long.
 */
export default class Environment extends NodeEnvironment {
  override async setup(): Promise<void> {
    await super.setup();
    Object.assign(this.global, { templateValidatorOfProcess: () => templateValidator() });
  }

  override async teardown(): Promise<void> {
    await super.teardown();
    for (const storage of used) {
      storage.disable();
    }
    used.clear();
  }
}
