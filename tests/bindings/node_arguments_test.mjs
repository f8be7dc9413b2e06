// Arguments and answers of the Node.js binding: kinds of bytes, wrong types, what is shown.
//
// usage: QUIETUS_NODE_PACKAGE=FOLDER node node_arguments_test.mjs
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

import { PACKAGE, Place, quietus } from './node_binding.mjs';

const bytes = (text) => Buffer.from(text);
const code = (name) => ({ name: 'QuietusError', code: `ERR_QUIETUS_${name}` });
const DAY = 86_400_000;

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

describe('arguments', () => {
  test('what has bytes', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set(bytes('abc'));
    for (const [data, content] of [
      [bytes('abc'), 'abc'], [new Uint8Array(bytes('abc')), 'abc'], [shared, 'abc'],
      [shared.buffer, 'abc'], [new Uint8Array(bytes('abc')).buffer, 'abc'],
      [new DataView(Uint8Array.from(bytes('xabc')).buffer, 1), 'abc'],
      [Uint16Array.from([0x6261]), 'ab'], [new BigInt64Array(1), '\0'.repeat(8)],
      [new Uint8ClampedArray(bytes('abc')), 'abc'], [Uint8Array.from(bytes('xabc')).subarray(1), 'abc'],
      [new Uint8Array(0), ''], [new ArrayBuffer(0), ''],
    ]) {
      await scope.put('x', data);
      assert.equal((await scope.get('x')).toString(), content);
      assert.equal((await scope.open(await scope.seal(data))).toString(), content);
      assert.deepEqual(await scope.pseudonym(data), await scope.pseudonym(bytes(content)));
    }
  });

  test('bytes are copied before the promise is there', async () => {
    const value = new Uint8Array(bytes('before'));
    const put = scope.put('x', value);
    value.fill(0);
    structuredClone(value.buffer, { transfer: [value.buffer] });
    await put;
    assert.equal((await scope.get('x')).toString(), 'before');
    const version = await scope.put('x', bytes('1'));
    const expecting = scope.put('x', bytes('2'), { expected: version });
    version.fill(0);
    await expecting;
  });

  test('bytes that are gone are not taken for none', async () => {
    const view = new Uint8Array(8), words = new Uint16Array(8);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    structuredClone(words.buffer, { transfer: [words.buffer] });
    for (const gone of [view, view.buffer, words]) {
      for (const wrong of [() => scope.put('x', gone), () => scope.seal(gone), () => scope.open(gone),
                           () => scope.putStream('x', [gone]), () => scope.batch((b) => b.put('x', gone)),
                           () => quietus.verifyCertificate(gone, '')])
        await assert.rejects(wrong(), (error) => error instanceof TypeError ||
                                                 error.code === 'ERR_QUIETUS_INVALID_ARGUMENT');
    }
    assert.deepEqual(await scope.list(), []);
  });

  test('wrong types', async () => {
    const fake = Object.create(Uint8Array.prototype);
    const wrong = [
      () => scope.put('x', 'text'), () => scope.put('x', 3), () => scope.put('x', null), () => scope.put('x'),
      () => scope.put('x', [1]), () => scope.put('x', {}), () => scope.put('x', fake),
      () => scope.put('x', new Proxy(bytes('a'), {})), () => scope.put(bytes('x'), bytes('1')),
      () => scope.put(null, bytes('1')), () => scope.put(), () => scope.get(3), () => scope.get(),
      () => scope.get(Object('x')), () => scope.get(Symbol('x')), () => scope.list(null),
      () => scope.put('x', bytes('1'), { contentType: bytes('text/plain') }),
      () => scope.put('x', bytes('1'), { expected: 'v' }), () => scope.put('x', bytes('1'), 'options'),
      () => scope.put('x', bytes('1'), { mustBeNew: 1 }), () => scope.put('x', bytes('1'), { mustbenew: true }),
      () => scope.remove('x', { expected: 3 }), () => scope.putStream('x'), () => scope.putStream('x', 3),
      () => scope.batch(), () => scope.batch({}), () => vault.scope(null), () => vault.scope('acme', { uses: 'x' }),
      () => vault.createScope(bytes('x')), () => vault.createScope('x', { derivedFrom: [bytes('acme')] }),
      () => vault.createScope('x', { derivedFrom: 3 }), () => vault.erase([1], 'test'), () => vault.erase(),
      () => vault.erase(bytes('acme'), 'test'), () => vault.erase('acme', null), () => vault.erase(null, 'test'),
      () => vault.terminate('acme', 1600000000000), () => vault.hold('acme', 'x', { until: '2030' }),
      () => vault.applyPolicy(bytes('')), () => vault.certificate(bytes('')), () => vault.sweep({ maxScopes: '1' }),
      () => vault.sweep({ maxScopes: 1n }), () => quietus.newKeyFile(3), () => quietus.newKeyFile(),
      () => quietus.newKeyFile(new URL('http://localhost/key')), () => quietus.Vault.open(),
      () => quietus.Vault.open(place.folder, { keyFile: 3 }), () => quietus.Vault.open(3, { keyFile: place.key }),
      () => quietus.verifyCertificate('text', ''), () => quietus.verifyCertificate(bytes(''), null),
    ];
    for (const [at, each] of wrong.entries()) await assert.rejects(each(), TypeError, `${at}: ${each}`);
    assert.deepEqual(await scope.list(), []);
  });

  test('what C could not be told', async () => {
    for (const wrong of [
      () => scope.put('a\0b', bytes('1')), () => scope.put('\ud800', bytes('1')), () => scope.get('\udfff'),
      () => scope.put('x', bytes('1'), { expected: bytes('short') }), () => quietus.newKeyFile('a\0b'),
      () => vault.terminate('acme', new Date(NaN)), () => vault.hold('acme', 'litigation', { until: new Date(0) }),
      () => vault.sweep({ maxScopes: -1 }), () => vault.sweep({ maxScopes: 0 }), () => vault.sweep({ maxScopes: 1.5 }),
      () => vault.sweep({ maxScopes: 2 ** 60 }), () => vault.sweep({ maxScopes: NaN }),
      () => place.open('vault', { lockTimeout: 2 ** 40 }), () => quietus.Vault.open(place.folder, {}),
      () => scope.get(''), () => scope.get('x'.repeat(2000)), () => scope.get('x'.repeat(1 << 24)),
    ]) await assert.rejects(wrong(), code('INVALID_ARGUMENT'), `${wrong}`);
  });

  test('names of any script', async () => {
    for (const name of ['ä', '名前', '😀', 'x'.repeat(1024)]) {
      await scope.put(name, bytes(name));
      assert.equal((await scope.get(name)).toString(), name);
    }
    assert.equal((await scope.list('😀'))[0].name, '😀');
  });

  test('files as URLs', async () => {
    await vault.close();
    place.vault = await quietus.Vault.open(pathToFileURL(place.path('vault')), { keyFile: pathToFileURL(place.key) });
  });

  test('a wrong `this`, and what is not made with new', async () => {
    for (const kind of [quietus.Vault, quietus.Scope, quietus.Batch]) {
      assert.throws(() => new kind(), TypeError);
      assert.throws(() => new kind(Symbol('making'), 1n), TypeError);
      for (const name of Object.getOwnPropertyNames(kind.prototype)) {
        const { value, get } = Object.getOwnPropertyDescriptor(kind.prototype, name);
        if (name === 'constructor') continue;
        for (const self of [undefined, null, {}, 3, Object.create(kind.prototype), quietus]) {
          const error = await (async () => (get ?? value).call(self, 'x', bytes('x')))().catch((each) => each);
          assert.ok(error instanceof TypeError || error.code === 'ERR_QUIETUS_INVALID_ARGUMENT', `${name}: ${error}`);
        }
      }
    }
    await assert.rejects(quietus.Vault.prototype.scope.call(scope, 'acme'), TypeError);
  });

  test('the compiled half, without what is before it', async () => {
    const native = createRequire(import.meta.url)(path.join(PACKAGE, 'quietus.node'));
    const shapes = [undefined, null, 0, -1, 1n, 2n ** 63n, 2n ** 70n, -1n, NaN, '', 'x', 'a\0b', true, [], [1], {},
                    Symbol('x'), () => {}, bytes('x'), new Uint8Array(0), new DataView(new ArrayBuffer(1)), new Date(0)];
    for (const [name, call] of Object.entries(native)) {
      if (name === 'version' || name === 'newKeyFile') continue;
      for (const first of shapes)
        for (const second of shapes) {
          const answered = (async () => call(first, second, second, second, false, second, second, second, 1))();
          await answered.catch((error) => assert.notEqual(error, undefined));
        }
    }
    await scope.put('x', bytes('1'));
  });
});

// Runs `use()` while Object.prototype has this.
async function polluted(properties, use) {
  for (const [name, how] of Object.entries(properties))
    Object.defineProperty(Object.prototype, name, { __proto__: null, configurable: true, ...how });
  try {
    return await use();
  } finally {
    for (const name of Object.keys(properties)) delete Object.prototype[name];
  }
}

describe('prototypes', () => {
  test('what is in Object.prototype is no option', async () => {
    const usual = (await vault.sweep()).limit;
    const limit = await polluted({ maxScopes: { value: 5 }, dryRun: { value: 3 } },
                                 async () => [(await vault.sweep()).limit, (await vault.sweep({})).limit]);
    assert.deepEqual(limit, [usual, usual]);
    await polluted({ insecureRootInVault: { value: true }, use: { value: 3 } }, async () => {
      await assert.rejects(place.create('other', { keyFile: place.key, rootFolder: place.path('other/roots') }),
                           code('REFUSED'));
      await vault.scope('acme');
    });
  });

  test('an option of another prototype is not left out in silence', async () => {
    await assert.rejects(vault.sweep(Object.create({ dryRun: true })), TypeError);
    await assert.rejects(vault.sweep(new (class { get dryRun() { return true; } })()), TypeError);
    const hidden = Object.defineProperty({}, 'dryrun', { value: true });
    await assert.rejects(vault.sweep(hidden), TypeError);
    await vault.sweep(Object.assign(Object.create(null), { dryRun: true }));
    await vault.sweep(new (class { dryRun = true; })());
  });

  test('an erasure that is done is told, whatever is in Object.prototype', async () => {
    const setter = { get() {}, set() { throw new Error('a setter saw it'); } };
    const names = ['erasureId', 'certificateId', 'certificate', 'subjects', 'scopeId', 'salt', 'number', 'code'];
    const erasure = await polluted(Object.fromEntries(names.map((name) => [name, setter])),
                                   () => vault.erase('acme', 'test'));
    assert.ok(erasure.certificate.equals(await vault.certificateOf('acme')));
    assert.deepEqual(Object.keys(erasure), ['erasureId', 'certificateId', 'certificate', 'subjects']);
    assert.equal(erasure.subjects[0].path, 'acme');
    await vault.createScope('other');
    const other = await polluted({ get: { value: 3 }, set: { value: 3 }, writable: { value: 3 } },
                                 () => vault.erase('other', 'test'));
    assert.equal(other.subjects[0].path, 'other');
    const error = await polluted(Object.fromEntries(names.map((name) => [name, setter])),
                                 () => vault.scope('none').catch((each) => each));
    assert.deepEqual([error.code, error.number], ['ERR_QUIETUS_NOT_FOUND', -2]);
  });
});

describe('answers', () => {
  test('errors say what, name nothing, and point to who called', async () => {
    const error = await (async function caller() {
      await vault.scope('secret-name');
    })().catch((each) => each);
    assert.ok(error instanceof quietus.QuietusError && error instanceof Error);
    assert.deepEqual([error.code, error.number, error.name], ['ERR_QUIETUS_NOT_FOUND', -2, 'QuietusError']);
    assert.ok(error.message);
    assert.ok(!inspect(error).includes('secret-name'));
    assert.match(error.stack, /caller/);
    const wrong = await scope.put('x', 'secret content').catch((each) => each);
    assert.equal(wrong.code, 'ERR_INVALID_ARG_TYPE');
    assert.ok(!inspect(wrong).includes('secret content'));
    assert.equal(new quietus.QuietusError(-99, 'x').code, 'ERR_QUIETUS_UNKNOWN');
  });

  test('what is shown holds no secrets', async () => {
    const erasure = await vault.erase(['acme'], 'test');
    const [subject] = erasure.subjects;
    assert.equal(subject.path, 'acme');
    assert.equal(subject.salt.length, 64);
    const shown = inspect([erasure, vault, scope], { depth: 9 });
    for (const secret of [subject.salt, 'acme']) assert.ok(!shown.includes(secret), shown);
    assert.equal(JSON.parse(JSON.stringify(subject)).salt, subject.salt);
  });

  test('times and ids', async () => {
    const before = new Date(Date.now() - 1000);
    const version = await scope.put('x', bytes('1'));
    const record = await scope.stat('x');
    assert.ok(record.modified > before);
    assert.deepEqual(record.version, version);
    const info = await vault.describe('acme');
    assert.equal(info.id, scope.id);
    assert.match(info.id, /^[0-9a-f]{16}$/);
    assert.ok(info.created > before && info.erased === null);
    const erasure = await vault.erase('acme', 'test');
    const verified = await quietus.verifyCertificate(erasure.certificate, await vault.issuingKeyPem());
    assert.deepEqual(verified.scopeIds, [info.id]);
    assert.ok(verified.slotDestroyed > new Date(before - 1000));
    assert.equal(verified.vaultId, (await vault.status()).vaultId);
    assert.deepEqual(await vault.certificateOf(info.id), erasure.certificate);
    const [listed] = await vault.certificates();
    assert.deepEqual([listed.id, listed.status], [erasure.certificateId, verified.status]);
    assert.ok((await vault.children())[0].erased >= info.created);
  });

  test('status and check', async () => {
    await scope.put('x', bytes('123'));
    const status = await vault.status(), report = await vault.check();
    assert.deepEqual([status.tenants, status.processes, status.readOnly, status.pendingErasures, status.lastBackup],
                     [1, 1, false, 0, null]);
    assert.deepEqual([report.records, report.size, report.damages], [1, 3, []]);
    await vault.close();
    place.vault = await place.open('vault', { readOnly: true, lockTimeout: 1500 });
    assert.equal((await place.vault.status()).readOnly, true);
    await assert.rejects(place.vault.createScope('other'), quietus.QuietusError);
  });

  test('damage is told', async () => {
    await scope.putStream('x', [Buffer.alloc(1 << 20)]);
    await vault.close();
    const file = fs.openSync(place.path('vault/records.mdb'), 'r+');
    const byte = Buffer.alloc(1);
    fs.readSync(file, byte, 0, 1, 500000);
    byte[0] ^= 1;
    fs.writeSync(file, byte, 0, 1, 500000);
    fs.closeSync(file);
    vault = place.vault = await place.open();
    const { damages } = await vault.check();
    assert.equal(damages.length, 1);
    assert.ok(damages[0].where && damages[0].what);
    scope = await vault.scope('acme');
    await assert.rejects(scope.get('x'), code('CORRUPT'));
    await assert.rejects(scope.getStream('x').then(collected), code('CORRUPT'));
  });

  test('holds and appointments', async () => {
    const hold = await vault.hold('acme', 'litigation', { authority: 'a court', until: new Date('2090-01-01') });
    assert.equal(hold.length, 32);
    await assert.rejects(vault.erase('acme', 'test'), code('HELD'));
    await vault.release(hold);
    const made = await vault.scheduleErasure('acme', 'contract-ended');
    assert.deepEqual(made.map((one) => one.path), ['acme']);
    assert.ok(made[0].when > new Date(Date.now() + 6 * DAY));
  });

  test('the event loop goes on meanwhile', async () => {
    let turns = 0;
    const timer = setInterval(() => ++turns, 1);
    for (let i = 0; i < 30; ++i) await vault.createScope(`acme/${i}`);
    clearInterval(timer);
    assert.ok(turns > 3, `${turns}`);
  });
});
