'use strict';
// What is open, until it is closed.

const { native } = require('./native.js');
const { invalid, shown, unavailable } = require('./errors.js');

// Only this package makes vaults, scopes and batches.
const MAKING = Symbol('making');

function refuseOthers(made, how) {
  if (made !== MAKING) throw new TypeError(`not to be made with new: ${how}`);
}

// A call that needs nothing open.
async function call(work) {
  try {
    return await work();
  } catch (error) {
    throw shown(error);
  }
}

// A handle of the library, and what still works with it. It knows nothing of the object that programs
// have, so that this can be forgotten.
class Open {
  #number;
  #what;
  #parent;
  #pending = 0;
  #idle = null;
  #closing = null;
  #readers = new Set();

  // `parent`: without which it is of no use.
  constructor(number, what, parent = null) {
    this.#number = number;
    this.#what = what;
    this.#parent = parent;
  }

  get closed() {
    return this.#closing !== null;
  }

  get what() {
    return this.#what;
  }

  // Why nothing can be done with it, or null.
  refusal() {
    if (this.closed) return invalid(`the ${this.#what} was closed`);
    if (this.#parent?.closed) return unavailable(`the ${this.#parent.what} was closed`);
    return null;
  }

  // `work(number)`, for which closing waits.
  async call(work) {
    const refusal = this.refusal();
    if (refusal) throw refusal;
    for (let each = this; each; each = each.#parent) ++each.#pending;
    try {
      return await work(this.#number);
    } catch (error) {
      throw shown(error);
    } finally {
      for (let each = this; each; each = each.#parent)
        if (--each.#pending === 0) each.#idle?.();
    }
  }

  // For what only moves memory.
  now(work) {
    const refusal = this.refusal();
    if (refusal) throw refusal;
    try {
      return work(this.#number);
    } catch (error) {
      throw shown(error);
    }
  }

  // `reader.stop()` is called before this, or its parent, is closed.
  add(reader) {
    for (let each = this; each; each = each.#parent) each.#readers.add(reader);
  }
  remove(reader) {
    for (let each = this; each; each = each.#parent) each.#readers.delete(reader);
  }

  // Nothing begins any more; what has begun is finished first. A second time it is the same promise.
  close() {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish() {
    await null;  // `closed` is true before anything is stopped
    await Promise.all(Array.from(this.#readers, (reader) => reader.stop()));
    if (this.#pending > 0) await new Promise((resolve) => { this.#idle = resolve; });
    await native.close(this.#number);
  }
}

// Closes what nobody has any more.
const forgotten = new FinalizationRegistry((open) => { open.close().catch(() => {}); });

// What is open behind a handle: for this package, not for programs.
let openOf;

// What programs have.
class Handle {
  #open;

  constructor(open) {
    this.#open = open;
    forgotten.register(this, open);
  }

  static {
    openOf = (handle) => handle.#open;
  }

  // Whether close() was called.
  get closed() {
    return this.#open.closed;
  }

  async close() {
    await this.#open.close();
  }
}
// For `await using`, where the runtime knows it.
if (Symbol.asyncDispose) {
  Object.defineProperty(Handle.prototype, Symbol.asyncDispose, {
    __proto__: null, value() { return this.close(); }, writable: true, configurable: true,
  });
}

module.exports = { Handle, MAKING, Open, call, forgotten, openOf, refuseOthers };
