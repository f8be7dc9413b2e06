// The Node.js binding in workers and in processes that end; what they leave in memory.
//
// usage: QUIETUS_NODE_PACKAGE=FOLDER node node_process_test.mjs
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { PACKAGE, Place, SANITIZED, quietus } from './node_binding.mjs';

let place;
beforeEach(async () => {
  place = await Place.make();
  await place.vault.createScope('acme');
});
afterEach(() => place.remove());

// What a program finds: the package, and the place.
const PROLOGUE = `
  const quietus = require(${JSON.stringify(PACKAGE)});
  const open = (name = 'vault') => quietus.Vault.open(here + '/' + name, { keyFile: here + '/key' });
  process.on('unhandledRejection', (error) => { console.error(error); process.exit(9); });
`;

// A worker that runs `code`, whose `return` is its answer.
function inWorker(code) {
  return new Worker(`
    const { parentPort, workerData: here } = require('node:worker_threads');
    ${PROLOGUE}
    (async () => { ${code} })().then((answer) => parentPort.postMessage({ answer }),
                                     (error) => parentPort.postMessage({ error: String(error) }));
  `, { eval: true, workerData: place.folder });
}

function answerOf(worker) {
  return new Promise((resolve, reject) => {
    worker.once('message', ({ answer, error }) => (error ? reject(new Error(error)) : resolve(answer)));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the worker ended with ${code}`)));
  });
}

const ended = (worker) => new Promise((resolve) => { worker.once('exit', resolve); });

function program(code, ...flags) {
  const text = `const here = ${JSON.stringify(place.folder)}; ${PROLOGUE} (async () => { ${code} })();`;
  return spawnSync(process.execPath, [...flags, '-e', text], { encoding: 'utf8', timeout: 60_000 });
}

function assertEnded(done, status = 0) {
  assert.deepEqual([done.status, done.signal, done.stderr], [status, null, '']);
}

describe('workers', () => {
  test('many at once, each with a vault of its own', async () => {
    const work = async (number) => {
      await place.create(`vault ${number}`, { keyFile: place.key }).then((vault) => vault.close());
      const worker = inWorker(`
        const vault = await open('vault ${number}');
        const scope = await vault.createScope('acme');
        const all = Array.from({ length: 30 }, (_, i) => i);
        await Promise.all(all.map((i) => scope.put('' + i, Buffer.from('${number}:' + i))));
        for (const i of all) if ((await scope.get('' + i)).toString() !== '${number}:' + i) throw Error('other');
        const out = [];
        await scope.putStream('stream', [Buffer.alloc(1 << 20)]);
        for await (const piece of await scope.getStream('stream')) out.push(piece);
        await vault.erase('acme', 'test');
        return Buffer.concat(out).length;
      `);
      const gone = ended(worker);
      assert.equal(await answerOf(worker), 1 << 20);
      await gone;
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(work));
    for (const number of [1, 2, 3, 4, 5, 6])  // what they had open was closed
      await (await place.open(`vault ${number}`)).close();
  });

  test('a vault is open in one of them', async () => {
    await assert.rejects(answerOf(inWorker('await open();')), /open/);
    await place.vault.close();
    const worker = inWorker('globalThis.vault = await open();');
    const gone = ended(worker);
    await answerOf(worker);
    await gone;
    place.vault = await place.open();
  });

  test('ended in the middle of everything', async () => {
    await place.vault.close();
    for (let i = 0; i < 15; ++i) {
      const worker = inWorker(`
        const vault = await open();
        const scope = await vault.scope('acme');
        await scope.put('x', Buffer.alloc(1 << 20));
        globalThis.reader = await scope.getStream('x');
        scope.putStream('y', (async function* () { for (;;) yield Buffer.alloc(1 << 16); })()).catch(() => {});
        scope.putStream('z', (async function* () { await new Promise(() => {}); })()).catch(() => {});
        setInterval(() => { for (let i = 0; i < 20; ++i) scope.put('p' + i, Buffer.alloc(1000)).catch(() => {}); }, 0);
        open().catch(() => {});
        return 'begun';
      `);
      assert.equal(await answerOf(worker), 'begun');
      await new Promise((resolve) => setTimeout(resolve, i * 3));
      await worker.terminate();
      const vault = await place.open();
      assert.deepEqual((await vault.check()).damages, []);
      assert.ok(await (await vault.scope('acme')).get('x'));
      await vault.close();
    }
  });

  test('handles are not sent to others', async () => {
    const { port1 } = new MessageChannel();
    port1.close();
    assert.deepEqual(structuredClone(place.vault), {});  // nothing of it can be used
    await assert.rejects(quietus.Vault.prototype.status.call(structuredClone(place.vault)), TypeError);
  });
});

describe('the end of the process', () => {
  beforeEach(() => place.vault.close());

  test('with all open', async () => {
    assertEnded(program(`
      const vault = await open(); const scope = await vault.scope('acme');
      await scope.put('x', Buffer.alloc(1 << 20));
      globalThis.kept = [vault, scope, await scope.getStream('x')];
    `));
    place.vault = await place.open();
    assert.equal((await (await place.vault.scope('acme')).get('x')).length, 1 << 20);
  });

  test('process.exit() with work in flight', async () => {
    for (const wait of [0, 1, 5, 20]) {
      assertEnded(program(`
        const vault = await open(); const scope = await vault.scope('acme');
        await scope.put('x', Buffer.alloc(1 << 20));
        globalThis.reader = await scope.getStream('x');
        scope.putStream('y', (async function* () { for (;;) yield Buffer.alloc(1 << 16); })());
        for (let i = 0; i < 50; ++i) scope.put('p' + i, Buffer.alloc(5000));
        vault.createScope('other ${wait}');
        vault.check();
        setTimeout(() => process.exit(3), ${wait});
      `), 3);
      place.vault = await place.open();
      assert.deepEqual((await place.vault.check()).damages, []);
      const scope = await place.vault.scope('acme');
      assert.equal(await scope.get('y'), null);
      await place.vault.close();
    }
  });

  test('a call that was begun is done, and the process waits for it', async () => {
    assertEnded(program(`
      const vault = await open(); const scope = await vault.scope('acme');
      for (let i = 0; i < 50; ++i) scope.put('' + i, Buffer.from('1'));
    `));
    place.vault = await place.open();
    assert.equal((await (await place.vault.scope('acme')).list()).length, 50);
  });

  test('by an error that nobody caught', () => {
    const done = program("process.removeAllListeners('unhandledRejection'); await (await open()).scope('none');");
    assert.equal(done.status, 1);
    assert.match(done.stderr, /ERR_QUIETUS_NOT_FOUND/);
  });

  test('with workers at work', () => {
    assertEnded(program(`
      const { Worker } = require('node:worker_threads');
      const text = 'const quietus = require(${JSON.stringify(PACKAGE)}); const here = process.env.HERE;' +
        '(async () => { const vault = await quietus.Vault.open(here + "/vault", { keyFile: here + "/key" });' +
        'const scope = await vault.scope("acme"); require("node:worker_threads").parentPort.postMessage(1);' +
        'for (;;) await scope.put("x", Buffer.alloc(100000)); })();';
      const worker = new Worker(text, { eval: true, env: { ...process.env, HERE: here } });
      worker.once('message', () => setTimeout(() => process.exit(4), 20));
    `), 4);
  });

  test('without memory for a copy', { skip: SANITIZED }, () => {
    const text = `const here = ${JSON.stringify(place.folder)}; ${PROLOGUE} (async () => {
      const scope = await (await open()).scope('acme');
      const huge = new Uint8Array(2 ** 30);  // without pages, as long as nobody writes to it
      for (const call of [() => scope.put('x', huge), () => scope.seal(huge), () => scope.putStream('x', [huge]),
                          () => scope.batch((batch) => batch.put('x', huge))])
        await call().then(() => process.exit(5), (error) => console.log(error.message));
      await scope.put('x', Buffer.from('1'));
    })();`;
    const done = spawnSync('sh', ['-c', 'ulimit -d 2000000; exec "$0" -e "$1"', process.execPath, text],
                           { encoding: 'utf8', timeout: 60_000 });
    assertEnded(done);
    assert.equal(done.stdout, 'out of memory\n'.repeat(4));
  });
});

describe('an erasure that is done', () => {
  // For the binding there is no memory for what is as large as the certificate and the list of subjects.
  const SUBJECTS = 20, SHIM = `
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <cstdlib>
    #include <cstring>
    #include <new>
    void* operator new(std::size_t size) {
      Dl_info of{};
      if (size > 1100 && dladdr(__builtin_return_address(0), &of) != 0 &&
          std::strstr(of.dli_fname, "quietus.node") != nullptr)
        throw std::bad_alloc();
      void* const made = std::malloc(size == 0 ? 1 : size);
      if (made == nullptr) throw std::bad_alloc();
      return made;
    }`;

  test('is told without what there is no memory for', { skip: SANITIZED }, async (context) => {
    // A node with a C++ library inside does not let another take its place.
    const maps = spawnSync(process.execPath, ['-p', "fs.readFileSync('/proc/self/maps')+''"], { encoding: 'utf8' });
    const built = spawnSync('c++', ['-shared', '-fPIC', '-x', 'c++', '-o', place.path('shim.so'), '-'], { input: SHIM });
    if (built.status !== 0 || !maps.stdout.includes('libstdc++')) {
      context.skip('there is no compiler, or no operator new to be replaced');
      return;
    }
    const paths = Array.from({ length: SUBJECTS }, (_, i) => `acme/${i}`);
    for (const each of paths) await place.vault.createScope(each);
    await place.vault.close();
    const text = `const here = ${JSON.stringify(place.folder)}; ${PROLOGUE} (async () => {
      const vault = await open();
      const { subjects, certificate, certificateId } = await vault.erase(${JSON.stringify(paths)}, 'test');
      console.log(JSON.stringify({ subjects, certificate, certificateId }));
    })();`;
    const done = spawnSync(process.execPath, ['-e', text], {
      encoding: 'utf8', timeout: 60_000, env: { ...process.env, LD_PRELOAD: place.path('shim.so') } });
    assertEnded(done);
    place.vault = await place.open();
    const [{ id }] = await place.vault.certificates();
    assert.deepEqual(JSON.parse(done.stdout), { subjects: null, certificate: null, certificateId: id });
    for (const each of await place.vault.children('acme')) assert.equal(each.state, 'erased');
  });
});

describe('notices of an open', () => {
  // Another process with the vault open, until the test ends.
  async function reader(context) {
    const child = spawn(process.execPath, ['-e', `
      const here = ${JSON.stringify(place.folder)}; ${PROLOGUE}
      (async () => {
        const vault = await open();
        await (await vault.scope('acme')).get('x');
        console.log('ready');
        setTimeout(() => vault.close(), 600000);
      })();`], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = ended(child);
    const end = () => { child.kill('SIGKILL'); return gone; };
    context.after(end);
    await new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
    });
    return end;
  }

  test('are given to onNotice before it is fulfilled', async (context) => {
    await place.vault.close();
    await reader(context);  // who opens alone begins with an empty table
    await (await reader(context))();
    const lines = [];
    place.vault = await place.open('vault', { onNotice: (line) => { lines.push(line); } });
    assert.ok(lines.some((line) => line.includes('ended without closing')), `${lines}`);
    await place.vault.close();
    await (await reader(context))();
    await assert.rejects(place.open('vault', { onNotice() { throw new RangeError('mine'); } }), RangeError);
    place.vault = await place.open();  // the vault that nobody got was closed
    await assert.rejects(place.open('vault', { onNotice: 3 }), TypeError);
  });
});

// Whether the memory of a process that can be written holds these bytes.
function inMemory(pid, wanted) {
  const memory = fs.openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (!from) continue;
      const region = Buffer.alloc(Number(BigInt(`0x${to}`) - BigInt(`0x${from}`)));
      try {
        fs.readSync(memory, region, 0, region.length, BigInt(`0x${from}`));
      } catch {
        continue;  // what nobody can read, as the library's locked memory may be
      }
      if (region.includes(wanted)) return true;
    }
    return false;
  } finally {
    fs.closeSync(memory);
  }
}

describe('secrets', () => {
  beforeEach(() => place.vault.close());

  // A program that is told a secret in disguise, uses it, wipes what it has of it, and is looked into.
  async function leftBehind(use) {
    const secret = randomBytes(4000), disguised = secret.map((byte) => byte ^ 0x5a);
    fs.writeFileSync(place.path('disguised'), disguised);
    const child = spawn(process.execPath, ['-e', `
      const here = ${JSON.stringify(place.folder)}; ${PROLOGUE}
      const wipe = (buffer) => buffer.fill(0);
      (async () => {
        const vault = await open(), scope = await vault.scope('acme');
        const secret = Buffer.alloc(4000);
        secret.set(require('node:fs').readFileSync(here + '/disguised'));
        for (let i = 0; i < secret.length; ++i) secret[i] ^= 0x5a;
        ${use}
        console.log('used');
        setTimeout(() => {}, 60000);
      })();`], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve, reject) => {
        child.stdout.once('data', resolve);
        child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
      });
      return inMemory(child.pid, secret.subarray(1000, 1032));
    } finally {
      child.kill('SIGKILL');
      await new Promise((resolve) => { child.once('exit', resolve); });
    }
  }

  // A sanitizer keeps what was freed, and maps more than can be read.
  test('copies between JavaScript and the library are wiped', { skip: SANITIZED }, async (context) => {
    try {
      assert.ok(await leftBehind('globalThis.kept = secret;'));  // else this test could not fail
    } catch (error) {
      if (!['EACCES', 'EPERM'].includes(error.code)) throw error;
      context.skip('the memory of other processes is not shown here');
      return;
    }
    assert.ok(await leftBehind("await scope.put('x', secret); wipe(secret); globalThis.kept = await scope.get('x');"));
    for (const use of [
      "await scope.put('x', secret); wipe(secret); wipe(await scope.get('x'));",
      'const token = await scope.seal(secret); wipe(secret); wipe(await scope.open(token));',
      'await scope.pseudonym(secret); wipe(secret);',
      "await scope.putStream('x', [secret]); wipe(secret);" +
      "for await (const piece of await scope.getStream('x')) wipe(piece);",
    ]) assert.equal(await leftBehind(use), false, use);
  });
});
