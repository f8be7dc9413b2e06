// What is JavaScript's own in its binding: promises and closing, batches, streams.
//
// usage: QUIETUS_NODE_PACKAGE=FOLDER node --expose-gc node_test.mjs
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Place, SANITIZED } from './node_binding.mjs';

const bytes = (text) => Buffer.from(text);
const code = (name) => ({ name: 'QuietusError', code: `ERR_QUIETUS_${name}` });

let place, vault, scope;
beforeEach(async () => {
  place = await Place.make();
  vault = place.vault;
  scope = await vault.createScope('acme');
});
afterEach(() => place.remove());

async function collected(stream) {
  const found = [];
  for await (const piece of stream) found.push(piece);
  return Buffer.concat(found);
}

// Whether `done()` comes true while garbage is collected.
async function sooner(done) {
  for (let i = 0; i < 200; ++i) {
    globalThis.gc();
    await sleep(10);
    if (await done()) return true;
  }
  return false;
}

describe('closing', () => {
  test('vault and scope', async () => {
    assert.equal(scope.closed, false);
    const closing = scope.close();
    assert.equal(scope.closed, true);
    await assert.rejects(scope.get('x'), code('INVALID_ARGUMENT'));
    await closing;
    assert.throws(() => scope.id, code('INVALID_ARGUMENT'));
    await vault.close();
    await assert.rejects(vault.status(), code('INVALID_ARGUMENT'));
    await assert.rejects(vault.scope('acme'), code('INVALID_ARGUMENT'));
  });

  test('scopes of a closed vault are unavailable, at once', async () => {
    const closing = vault.close();
    await assert.rejects(scope.get('x'), code('UNAVAILABLE'));
    await closing;
    await assert.rejects(scope.putStream('x', [bytes('1')]), code('UNAVAILABLE'));
    await assert.rejects(scope.getStream('x'), code('UNAVAILABLE'));
    await assert.rejects(scope.batch(() => {}), code('UNAVAILABLE'));
    await scope.close();
  });

  test('twice does nothing, and a vault is free when it is done', async () => {
    await Promise.all([scope.close(), scope.close(), vault.close(), vault.close()]);
    await vault.close();
    place.vault = await place.open();
  });

  test('waits for what was called before', async () => {
    const puts = [];
    for (let i = 0; i < 40; ++i) puts.push(scope.put(`${i}`, bytes('1')));
    const erasing = vault.createScope('other').then(() => 'made');
    await vault.close();
    for (const put of puts) assert.equal((await put).length, 24);
    assert.equal(await erasing, 'made');
    place.vault = await place.open();
    assert.equal((await (await place.vault.scope('acme')).list()).length, 40);
  });

  test('while many read', async () => {
    await scope.put('x', bytes('1'));
    const readers = Array.from({ length: 20 }, async () => {
      for (;;) await scope.get('x');
    });
    await sleep(20);
    const ends = Promise.all(readers.map((each) => assert.rejects(each, code('UNAVAILABLE'))));
    await vault.close();
    await ends;
  });

  test('what nobody has is closed', async () => {
    vault = scope = place.vault = null;
    assert.ok(await sooner(async () => {
      place.vault = await place.open().catch(() => null);  // busy, as long as it is open
      return place.vault !== null;
    }));
  });

  test('a scope keeps its vault open', async () => {
    await vault.close();
    vault = place.vault = null;
    scope = await (await place.open()).scope('acme');
    for (let i = 0; i < 10; ++i) {
      globalThis.gc();
      await sleep(5);
    }
    await scope.put('x', bytes('1'));
    assert.equal((await scope.get('x')).toString(), '1');
    scope = null;
  });

  test('await using', { skip: !Symbol.asyncDispose }, async () => {
    await scope[Symbol.asyncDispose]();
    await vault[Symbol.asyncDispose]();
    assert.ok(scope.closed && vault.closed);
  });
});

describe('batches', () => {
  test('nothing is written after an error', async () => {
    await assert.rejects(scope.batch((batch) => {
      batch.put('x', bytes('1'));
      throw new RangeError('mine');
    }), RangeError);
    await assert.rejects(scope.batch(async (batch) => {
      batch.put('x', bytes('1'));
      await sleep(1);
      throw new RangeError('mine');
    }), RangeError);
    assert.equal(await scope.get('x'), null);
  });

  test('values are copied in, and it ends with its function', async () => {
    const value = bytes('before');
    let kept;
    await scope.batch(async (batch) => {
      kept = batch;
      batch.put('x', value);
      value.write('after!');
      await null;
    });
    assert.equal((await scope.get('x')).toString(), 'before');
    assert.throws(() => kept.put('y', bytes('1')), code('INVALID_ARGUMENT'));
    assert.throws(() => kept.remove('x'), code('INVALID_ARGUMENT'));
  });
});

describe('batches that are late', () => {
  test('what comes after the function is refused, not lost', async () => {
    let late, early;
    const trying = (put) => { try { return put(), 'taken'; } catch (error) { return error.code; } };
    await scope.batch((batch) => {
      batch.put('x', bytes('1'));
      setImmediate(() => { late = trying(() => batch.put('late', bytes('1'))); });
    });
    await sleep(5);
    assert.equal(late, 'ERR_QUIETUS_INVALID_ARGUMENT');
    assert.equal(await scope.get('late'), null);
    // As soon as can be: either it is refused, or it is stored.
    for (let turns = 0; turns < 8; ++turns) {
      await scope.batch((batch) => {
        let then = Promise.resolve();
        for (let i = 0; i < turns; ++i) then = then.then(() => {});
        then.then(() => { early = trying(() => batch.put(`early ${turns}`, bytes('1'))); });
      });
      assert.equal(await scope.get(`early ${turns}`) !== null, early === 'taken', `${turns}: ${early}`);
    }
    assert.equal(early, 'ERR_QUIETUS_INVALID_ARGUMENT');
  });

  test('a batch that is refused leaves nothing open', async () => {
    const refused = scope.batch((batch) => { batch.put('x', bytes('1'), { expected: Buffer.alloc(24, 1) }); });
    await assert.rejects(refused, code('CONFLICT'));
    assert.equal(await scope.get('x'), null);
  });
});

async function collectGarbage() {
  for (let i = 0; i < 10; ++i) {
    globalThis.gc();
    await sleep(5);
  }
}

describe('what is in use is not closed because its scope or vault was forgotten', () => {
  beforeEach(async () => {
    await scope.put('big', Buffer.alloc(3 << 20, 'x'));
    await vault.close();
    vault = scope = place.vault = null;
  });

  test('a stream that is read', async () => {
    const reader = await (await (await place.open()).scope('acme')).getStream('big');
    await collectGarbage();
    assert.equal((await collected(reader)).length, 3 << 20);
  });

  test('a stream that is written', async () => {
    await (await (await place.open()).scope('acme')).putStream('y', (async function* () {
      yield Buffer.alloc(1 << 20);
      await collectGarbage();
      yield Buffer.alloc(1 << 20);
    })());
    await sooner(async () => (place.vault = await place.open().catch(() => null)));
    assert.equal((await (await place.vault.scope('acme')).stat('y')).size, 2 << 20);
  });

  test('a batch', async () => {
    await (await (await place.open()).scope('acme')).batch(async (batch) => {
      await collectGarbage();
      batch.put('y', bytes('1'));
    });
    await sooner(async () => (place.vault = await place.open().catch(() => null)));
    assert.equal((await (await place.vault.scope('acme')).get('y')).toString(), '1');
  });

  test('a stream that was read to its end keeps nothing open', async () => {
    const reader = await (await (await place.open()).scope('acme')).getStream('big');
    await collected(reader);
    assert.ok(await sooner(async () => (place.vault = await place.open().catch(() => null))));
    assert.equal((await reader.next()).done, true);
  });
});

describe('streams', () => {
  test('from and into files', async () => {
    const data = Buffer.alloc(3_000_001, 'abc');
    fs.writeFileSync(place.path('in'), data);
    await scope.putStream('x', fs.createReadStream(place.path('in')));
    await pipeline(await scope.getStream('x'), fs.createWriteStream(place.path('out')));
    assert.ok(data.equals(fs.readFileSync(place.path('out'))));
  });

  test('from any iterable of bytes', async () => {
    for (const [source, content] of [
      [[], ''], [[bytes('')], ''], [[bytes('a'), bytes(''), new Uint8Array([98])], 'ab'],
      [(function* () { yield bytes('a'); })(), 'a'],
      [(async function* () { yield bytes('a'); yield new DataView(new ArrayBuffer(1)); })(), 'a\0'],
      [Readable.from([bytes('ab')]), 'ab'], [new Blob(['ab']).stream(), 'ab'],
    ]) {
      assert.equal((await scope.putStream('x', source)).length, 24);
      assert.equal((await collected(await scope.getStream('x'))).toString(), content);
    }
    assert.equal(await scope.getStream('none'), null);
  });

  test('more at once than the pool has threads, each waiting for files', async () => {
    fs.writeFileSync(place.path('in'), Buffer.alloc(300_000, 'x'));
    const names = Array.from({ length: 12 }, (_, i) => `${i}`);
    // One writes at a time; who comes too late is told so, and nobody waits for ever.
    for (const name of names) await scope.putStream(name, fs.createReadStream(place.path('in')));
    await Promise.all(names.map(async (name) => {
      const out = place.path(`out${name}`);
      await pipeline(await scope.getStream(name), fs.createWriteStream(out));
      assert.equal(fs.statSync(out).size, 300_000);
    }));
    const written = await Promise.allSettled(names.map(
      (name) => scope.putStream(`new/${name}`, fs.createReadStream(place.path('in')))));
    for (const each of written)
      assert.ok(each.status === 'fulfilled' || each.reason.code === 'ERR_QUIETUS_BUSY', each.reason);
  });

  test('what a source raises comes out, and nothing is stored', async () => {
    await scope.put('x', bytes('before'));
    let closed = false;
    const source = (async function* () {
      try {
        yield Buffer.alloc(1 << 20);
        throw new RangeError('mine');
      } finally {
        closed = true;
      }
    })();
    await assert.rejects(scope.putStream('x', source), RangeError);
    assert.ok(closed);
    for (const wrong of ['text', [1], [bytes('a'), 'b'], Uint8Array.of(1), [null]])
      await assert.rejects(scope.putStream('x', wrong), TypeError);
    await assert.rejects(scope.putStream('x', fs.createReadStream(place.path('none'))), { code: 'ENOENT' });
    assert.equal((await scope.get('x')).toString(), 'before');
  });

  test('a source is closed when the library refuses, and left alone when nothing was asked', async () => {
    let asked = 0, closed = 0;
    const source = () => ({
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: Buffer.alloc(1000, String(++asked)) }),
        return: () => ({ done: Boolean(++closed) }),
      }),
    });
    for (const wrong of ['', 'x'.repeat(2000)])
      await assert.rejects(scope.putStream(wrong, source()), code('INVALID_ARGUMENT'));
    await vault.erase('acme', 'test');
    await assert.rejects(scope.putStream('x', source()), code('ERASED'));
    assert.deepEqual([asked > 0, closed], [true, 3]);
    asked = 0;
    await assert.rejects(scope.putStream('x', source(), { expected: bytes('short') }), code('INVALID_ARGUMENT'));
    await scope.close();
    await assert.rejects(scope.putStream('x', source()), code('INVALID_ARGUMENT'));
    assert.equal(asked, 0);
  });

  test('the library can be called from a source and a reader', async () => {
    await scope.putStream('x', (async function* () {
      await scope.put('from source', bytes('1'));
      yield Buffer.alloc(1 << 20);
    })());
    for await (const piece of await scope.getStream('x'))
      await scope.put('from reader', piece.subarray(0, 1));
    assert.equal((await scope.list('from')).length, 2);
  });

  test('who leaves, forgets or closes', async () => {
    await scope.put('x', Buffer.alloc(1 << 20, 'x'));
    for await (const piece of await scope.getStream('x')) {
      assert.ok(piece.length);
      break;
    }
    await assert.rejects(pipeline(await scope.getStream('x'), new Writable({
      write(_, __, done) { done(new RangeError('mine')); },
    })), RangeError);
    const left = await scope.getStream('x');
    await left.return();
    assert.equal((await left.next()).done, true);
    await scope.getStream('x');  // forgotten
    const open = await scope.getStream('x');
    const pending = [open.next(), open.next(), open.next()];
    const settled = Promise.allSettled(pending);
    await vault.close();
    for (const each of await settled)
      assert.ok(each.status === 'fulfilled' || each.reason.code === 'ERR_QUIETUS_UNAVAILABLE');
    const after = await open.next().catch((error) => error);
    assert.ok(after.done || after.code === 'ERR_QUIETUS_UNAVAILABLE');
    assert.equal((await open.next()).done, true);
    place.vault = await place.open();
  });

  test('next() for who does not wait', async () => {
    const data = Buffer.alloc(1 << 20, 'abcdefg');
    await scope.put('x', data);
    const stream = await scope.getStream('x');
    const pieces = await Promise.all(Array.from({ length: 100 }, () => stream.next()));
    assert.ok(data.equals(Buffer.concat(pieces.filter((each) => !each.done).map((each) => each.value))));
  });

  // A sanitizer keeps what was freed.
  test('large ones in constant memory', { timeout: 240_000, skip: SANITIZED }, async () => {
    const size = 150 << 20, chunk = Buffer.alloc(1 << 20, 'x');
    const kib = () => Number(/RssAnon:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
    await scope.put('warm', chunk);
    const before = kib();
    let most = 0, got = 0;
    await scope.putStream('x', (function* () {
      for (let left = size; left > 0; left -= chunk.length) {
        most = Math.max(most, kib());
        yield chunk;
      }
    })());
    for await (const piece of await scope.getStream('x')) {
      got += piece.length;
      most = Math.max(most, kib());
    }
    assert.equal(got, size);
    assert.ok(most - before < 100 << 10, `${most - before} KiB`);  // the collector takes its time
  });
});
