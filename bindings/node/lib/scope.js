'use strict';
// Records of a scope.

const { native } = require('./native.js');
const { bytes, flag, optionalText, options, text, version } = require('./arguments.js');
const { wrongType } = require('./errors.js');
const { Handle, MAKING, Open, openOf, refuseOthers } = require('./open.js');
const { Reader, write } = require('./streams.js');

// In the order in which the compiled half takes them.
function putOptions(given) {
  const how = options(given, ['contentType', 'expected', 'mustBeNew']);
  return [optionalText(how.contentType, 'the content type'),
          version(how.expected, 'the expected version'), flag(how.mustBeNew, 'mustBeNew')];
}

class Batch {
  #open;
  #scope;  // which must not be closed because nobody else has it

  constructor(making, open, scope) {
    refuseOthers(making, 'it is what batch() gives to its function');
    this.#open = open;
    this.#scope = scope;
  }

  put(name, data, how) {
    const content = bytes(data, 'the data'), called = text(name, 'the name'), given = putOptions(how);
    this.#open.now((batch) => native.batchPut(batch, called, content, ...given));
  }

  remove(name) {
    const called = text(name, 'the name');
    this.#open.now((batch) => native.batchRemove(batch, called));
  }
}

class Scope extends Handle {
  #open;
  #vault;  // which must not be closed because nobody else has it

  constructor(making, vault, number) {
    refuseOthers(making, 'it is what Vault.scope() and createScope() give');
    const open = new Open(number, 'scope', openOf(vault));
    super(open);
    this.#open = open;
    this.#vault = vault;
  }

  get id() {
    return this.#open.now(native.scopeId);
  }

  async put(name, data, how) {
    const content = bytes(data, 'the data'), called = text(name, 'the name'), given = putOptions(how);
    return this.#open.call((scope) => native.put(scope, called, content, ...given));
  }

  async get(name) {
    const called = text(name, 'the name');
    return this.#open.call((scope) => native.get(scope, called));
  }

  async putStream(name, source, how) {
    const called = text(name, 'the name'), given = putOptions(how);
    if (typeof source?.[Symbol.asyncIterator] !== 'function' &&
        typeof source?.[Symbol.iterator] !== 'function')
      throw wrongType('the source', 'a stream or another iterable of bytes', source);
    return this.#open.call((scope) => write(native.openWriter(scope, called, ...given), source));
  }

  async getStream(name) {
    const called = text(name, 'the name');
    return this.#open.call((scope) => Reader.begin(this, native.openReader(scope, called)));
  }

  async stat(name) {
    const called = text(name, 'the name');
    return this.#open.call((scope) => native.stat(scope, called));
  }

  async remove(name, how) {
    const called = text(name, 'the name');
    const expected = version(options(how, ['expected']).expected, 'the expected version');
    return await this.#open.call((scope) => native.remove(scope, called, expected)) !== null;
  }

  async list(prefix = '') {
    const begins = text(prefix, 'the prefix');
    return this.#open.call((scope) => native.list(scope, begins));
  }

  async batch(fill) {
    if (typeof fill !== 'function') throw wrongType('what fills the batch', 'a function', fill);
    await this.#open.call(async (scope) => {
      const number = native.newBatch();
      const open = new Open(number, 'batch');
      try {
        await fill(new Batch(MAKING, open, this));
        const written = open.call((batch) => native.write(scope, batch));
        open.close();  // at once: what came now would not be stored, and must not look as if it were
        await written;
      } finally {
        await open.close();
      }
    });
  }

  async seal(data) {
    const content = bytes(data, 'the data');
    return this.#open.call((scope) => native.seal(scope, content));
  }

  async open(token) {
    const sealed = bytes(token, 'the token');
    return this.#open.call((scope) => native.unseal(scope, sealed));
  }

  async pseudonym(value) {
    const content = bytes(value, 'the value');
    return this.#open.call((scope) => native.pseudonym(scope, content));
  }
}

module.exports = { Batch, Scope };
