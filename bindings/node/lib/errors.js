'use strict';
// What goes wrong: in the library, and before it was called.

// By the numbers of quietus.h.
const CODES = {
  __proto__: null,
  [-1]: 'ERR_QUIETUS_INVALID_ARGUMENT',
  [-2]: 'ERR_QUIETUS_NOT_FOUND',
  [-3]: 'ERR_QUIETUS_ERASED',
  [-4]: 'ERR_QUIETUS_RESTRICTED',
  [-5]: 'ERR_QUIETUS_HELD',
  [-6]: 'ERR_QUIETUS_REFUSED',
  [-7]: 'ERR_QUIETUS_ALREADY_EXISTS',
  [-8]: 'ERR_QUIETUS_CONFLICT',
  [-9]: 'ERR_QUIETUS_WRONG_KEY',
  [-10]: 'ERR_QUIETUS_CORRUPT',
  [-11]: 'ERR_QUIETUS_ROLLED_BACK',
  [-12]: 'ERR_QUIETUS_UNVERIFIED',
  [-13]: 'ERR_QUIETUS_BUSY',
  [-14]: 'ERR_QUIETUS_FULL',
  [-15]: 'ERR_QUIETUS_UNAVAILABLE',
  [-16]: 'ERR_QUIETUS_UNSUPPORTED',
  [-17]: 'ERR_QUIETUS_ERASURE_INCOMPLETE',
  [-18]: 'ERR_QUIETUS_IO_ERROR',
  [-19]: 'ERR_QUIETUS_INTERNAL_ERROR',
  [-20]: 'ERR_QUIETUS_CHANGED',
};
const INVALID = -1, UNAVAILABLE = -15, INTERNAL = -19;

class QuietusError extends Error {
  // Defined, and so its own whatever Object.prototype has.
  number;
  code;

  constructor(number, message) {
    super(message);
    this.number = number;
    this.code = CODES[number] ?? 'ERR_QUIETUS_UNKNOWN';
  }
}
// Not of each error: it is no property that a program would look through.
Object.defineProperty(QuietusError.prototype, 'name',
                      { __proto__: null, value: 'QuietusError', writable: true, configurable: true });

const invalid = (message) => new QuietusError(INVALID, message);
const unavailable = (message) => new QuietusError(UNAVAILABLE, message);

function wrongType(what, wanted, value) {
  // The type only: the value may be a secret.
  const error = new TypeError(`${what} must be ${wanted}, not ${value === null ? 'null' : typeof value}`);
  return Object.defineProperty(error, 'code', {
    __proto__: null, value: 'ERR_INVALID_ARG_TYPE', writable: true, enumerable: true, configurable: true,
  });
}

// What the compiled half raised, as what is shown to programs. Made where somebody waits for it, so that
// its stack names them.
function shown(raised) {
  if (raised instanceof Error) return raised;
  if (typeof raised?.number === 'number') return new QuietusError(raised.number, raised.message);
  return new QuietusError(INTERNAL, 'out of memory');
}

module.exports = { QuietusError, invalid, shown, unavailable, wrongType };
