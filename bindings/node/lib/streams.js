'use strict';
// Records of any size, piece by piece.

const { native } = require('./native.js');
const { bytes } = require('./arguments.js');
const { shown } = require('./errors.js');
const { forgotten, openOf } = require('./open.js');

const NOTHING = new Uint8Array(0);

// What `source` gives, until it ends. Whatever is raised on the way, nothing was stored.
async function write(stream, source) {
  try {
    // Without waiting for anything before: an error of a stream that nobody listens to ends the process.
    for await (const chunk of source) {
      const piece = bytes(chunk, 'a chunk');
      if (piece.length > 0) await native.step(stream, piece);  // the empty one would be the last
    }
    return (await native.step(stream, NOTHING)).version;
  } finally {
    await native.stopStream(stream);
  }
}

// What is being read. It knows nothing of its Reader, so that this can be forgotten and it be stopped.
class Reading {
  #open;
  #stream;

  constructor(open, stream) {
    this.#open = open;
    this.#stream = stream;
    open.add(this);
  }

  async next() {
    const refusal = this.#open.refusal();
    if (refusal) throw refusal;
    return native.step(this.#stream, NOTHING);
  }

  // A second time it does nothing.
  stop() {
    forgotten.unregister(this);
    this.#open.remove(this);
    return native.stopStream(this.#stream);
  }

  close() {  // as whatever is forgotten
    return this.stop();
  }
}

class Reader {
  #reading;
  #scope;  // which must not be closed because nobody else has it; until the end
  #step;  // the first
  #ended = false;
  #turn = Promise.resolve();

  constructor(reading, scope, step) {
    this.#reading = reading;
    this.#scope = scope;
    this.#step = step;
    forgotten.register(this, reading, reading);
  }

  // null: there is no such record.
  static async begin(scope, stream) {
    const reading = new Reading(openOf(scope), stream);
    let step = null;
    try {
      step = await reading.next();
    } finally {
      if (step === null) await reading.stop();
    }
    return step && new Reader(reading, scope, step);
  }

  // One after the other, also for who does not wait.
  next() {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #next() {
    if (this.#ended) return { done: true, value: undefined };
    try {
      const step = this.#step ?? await this.#reading.next();
      this.#step = null;
      if (step && !step.ended) return { done: false, value: step.piece };
    } catch (error) {
      await this.return();
      throw shown(error);
    }
    return this.return();
  }

  async return(value) {
    this.#ended = true;
    this.#step = null;
    this.#scope = null;
    await this.#reading.stop();
    return { done: true, value };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

module.exports = { Reader, write };
