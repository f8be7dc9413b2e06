// The Node.js binding answers as tests/behaviour/behaviour.json says.
//
// usage: QUIETUS_NODE_PACKAGE=FOLDER node node_behaviour_test.mjs
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { Place, ROOT, quietus } from './node_binding.mjs';

// What quietus_code_name() says.
const NAMES = {
  INVALID_ARGUMENT: 'invalid argument', NOT_FOUND: 'not found', ERASED: 'erased',
  RESTRICTED: 'restricted', HELD: 'held', REFUSED: 'refused', ALREADY_EXISTS: 'already exists',
  CONFLICT: 'conflict', WRONG_KEY: 'wrong key', CORRUPT: 'corrupt', ROLLED_BACK: 'rolled back',
  UNVERIFIED: 'does not verify', BUSY: 'busy', FULL: 'full', UNAVAILABLE: 'unavailable',
  UNSUPPORTED: 'unsupported', ERASURE_INCOMPLETE: 'erasure incomplete',
  IO_ERROR: 'input/output error', INTERNAL_ERROR: 'internal error', CHANGED: 'changed while being read',
};

class Absent extends Error {}

// What the binding says with null or false.
function there(value) {
  if (value === null || value === false) throw new Absent();
  return value;
}

const inDays = (days) => new Date(Date.now() + days * 86_400_000);

// The bytes that a step means, or null; what it says is taken out of it.
function takeContent(step, withSize = true) {
  const { text, base64, fill, bytes } = step;
  delete step.text;
  delete step.base64;
  delete step.fill;
  if (withSize) delete step.bytes;
  if (text !== undefined) return Buffer.from(text);
  if (base64 !== undefined) return Buffer.from(base64, 'base64');
  return fill === undefined ? null : Buffer.alloc(bytes, fill);
}

function* pieces(data, size) {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

// A method for each `do`, which takes the fields of the step that it knows: another one fails. It gives
// back what `gives_*` is compared with, and as `came` what can be kept.
class Machine {
  scopes = {};
  kept = {};

  constructor(place) {
    this.place = place;
  }

  get vault() {
    return this.place.vault;
  }

  unlock({ key_file, passphrase_file, ...unknown }) {
    assert.deepEqual(unknown, {});
    const file = (name) => (name === undefined ? undefined : this.place.path(name));
    return { keyFile: file(key_file), passphraseFile: file(passphrase_file) };
  }

  putOptions({ content_type, expected, must_be_new, ...unknown }) {
    assert.deepEqual(unknown, {});
    return { contentType: content_type, expected: expected && this.kept[expected],
             mustBeNew: must_be_new };
  }

  async new_key_file({ file }) {
    await quietus.newKeyFile(this.place.path(file));
  }

  write_file({ file, data }) {
    fs.writeFileSync(this.place.path(file), data, { mode: 0o600 });
  }

  async create({ folder, ...files }) {
    this.place.vault = await this.place.create(folder, this.unlock(files));
  }

  async open({ folder, ...files }) {
    this.place.vault = await quietus.Vault.open(this.place.path(folder), this.unlock(files));
  }

  async close() {
    await this.vault.close();
  }

  async create_scope({ path, as, data_class, derived_from }) {
    this.scopes[as ?? path] = await this.vault.createScope(
      path, { dataClass: data_class, derivedFrom: derived_from });
  }

  async scope({ path, use, as }) {
    this.scopes[as ?? path] = await this.vault.scope(path, { use });
  }

  async describe({ path }) {
    const info = await this.vault.describe(path);
    assert.equal(info.path, path);
    return { state: info.state, class: info.dataClass };
  }

  async children({ path }) {
    return { paths: (await this.vault.children(path)).map((info) => info.path).sort() };
  }

  async put({ scope, name, data, ...how }) {
    return { came: await this.scopes[scope].put(name, data, this.putOptions(how)) };
  }

  async put_stream({ scope, name, data, ...how }) {
    return { came: await this.scopes[scope].putStream(name, pieces(data, 5000), this.putOptions(how)) };
  }

  async get({ scope, name }) {
    return { data: there(await this.scopes[scope].get(name)) };
  }

  async get_stream({ scope, name }) {
    const found = [];
    for await (const piece of there(await this.scopes[scope].getStream(name))) found.push(piece);
    return { data: Buffer.concat(found) };
  }

  async stat({ scope, name }) {
    const info = there(await this.scopes[scope].stat(name));
    assert.ok(info.name === name && info.modified instanceof Date);
    return { bytes: info.size, content_type: info.contentType, came: info.version };
  }

  async remove({ scope, name, expected }) {
    there(await this.scopes[scope].remove(name, { expected: expected && this.kept[expected] }));
  }

  async list({ scope, prefix }) {
    return { names: (await this.scopes[scope].list(prefix)).map((info) => info.name).sort() };
  }

  async batch({ scope, writes }) {
    await this.scopes[scope].batch((batch) => {
      for (const { do: what, name, ...write } of writes) {
        if (what === 'remove') {
          assert.deepEqual(write, {});
          batch.remove(name);
        } else {
          assert.equal(what, 'put');
          batch.put(name, takeContent(write), this.putOptions(write));
        }
      }
    });
  }

  async seal({ scope, data }) {
    return { came: await this.scopes[scope].seal(data) };
  }

  async unseal({ scope, token }) {
    return { data: await this.scopes[scope].open(this.kept[token]) };
  }

  async pseudonym({ scope, data }) {
    return { came: await this.scopes[scope].pseudonym(data) };
  }

  value({ data }) {
    return { came: data };
  }

  flip({ of, byte }) {
    const bent = Buffer.from(this.kept[of]);
    bent[byte < 0 ? bent.length + byte : byte] ^= 1;
    return { came: bent };
  }

  async suspend({ path, reason }) {
    await this.vault.suspend(path, reason);
  }

  async unsuspend({ path, reason }) {
    await this.vault.unsuspend(path, reason);
  }

  async deactivate({ path, reason }) {
    await this.vault.deactivate(path, reason);
  }

  async rotate({ path, reason }) {
    await this.vault.rotate(path, reason);
  }

  async purge({ path, reason }) {
    await this.vault.purge(path, reason);
  }

  async hold({ path, reason, authority }) {
    return { came: Buffer.from(await this.vault.hold(path, reason, { authority })) };
  }

  async release({ hold }) {
    await this.vault.release(this.kept[hold].toString());
  }

  async erase({ paths, reason }) {
    const made = await this.vault.erase(paths, reason);
    assert.ok(made.erasureId);
    return { came: made.certificate, id: Buffer.from(made.certificateId),
             subjects: made.subjects.map((subject) => subject.path) };
  }

  async schedule_erasure({ paths, reason }) {
    const made = await this.vault.scheduleErasure(paths, reason);
    assert.deepEqual(made.map((one) => one.path), paths);
  }

  async cancel_erasure({ paths }) {
    await this.vault.cancelErasure(paths);
  }

  async apply_policy({ data }) {
    await this.vault.applyPolicy(data.toString());
  }

  async terminate({ path, days }) {
    await this.vault.terminate(path, inDays(days));
  }

  async withdraw_consent({ path, days }) {
    await this.vault.withdrawConsent(path, inDays(days));
  }

  async cancel_termination({ path }) {
    await this.vault.cancelTermination(path);
  }

  async sweep({ dry_run }) {
    return { scopes: (await this.vault.sweep({ dryRun: dry_run })).scopes };
  }

  async resume() {
    return { count: (await this.vault.resume()).length };
  }

  async certificates() {
    return { count: (await this.vault.certificates()).length };
  }

  async certificate({ id }) {
    return { came: await this.vault.certificate(this.kept[id].toString()) };
  }

  async certificate_of({ path }) {
    return { came: await this.vault.certificateOf(path) };
  }

  async issuing_key() {
    return { came: Buffer.from(await this.vault.issuingKeyPem()) };
  }

  async verify({ certificate, key }) {
    const found = await quietus.verifyCertificate(this.kept[certificate], this.kept[key].toString());
    return { status: found.status, reason: found.reason, decided_by: found.decidedBy,
             scopes: found.scopeIds.length };
  }

  async check() {
    return { damages: (await this.vault.check()).damages.length };
  }
}

// The fields of a step, which knows what of it was looked at.
function watched(step, seen) {
  return new Proxy(step, {
    get(target, field) {
      seen.add(field);
      return target[field];
    },
  });
}

// What the step came to: the name of its answer, the error's text, what it gave.
async function answer(machine, what, step) {
  assert.ok(Object.hasOwn(Machine.prototype, what) && !['unlock', 'putOptions', 'vault'].includes(what),
            `what is ${what}?`);
  try {
    return { said: 'ok', text: '', came: (await machine[what](step)) ?? {} };
  } catch (error) {
    if (error instanceof Absent) return { said: 'absent', text: '', came: {} };
    if (!(error instanceof quietus.QuietusError)) throw error;
    return { said: NAMES[error.code.replace('ERR_QUIETUS_', '')], text: error.message, came: {} };
  }
}

function compare(machine, came, gives, kept) {
  const data = takeContent(gives, came.data !== undefined);
  if (data !== null) assert.ok(data.equals(came.data), 'another content came');
  for (const [field, value] of Object.entries(gives))
    assert.deepEqual(came[field], ['paths', 'names'].includes(field) ? [...value].sort() : value, field);
  if (kept.keep) machine.kept[kept.keep] = came.came;
  if (kept.keep_id) machine.kept[kept.keep_id] = came.id;
  if (kept.same_as) assert.deepEqual(came.came, machine.kept[kept.same_as]);
  if (kept.differs_from) assert.notDeepEqual(came.came, machine.kept[kept.differs_from]);
}

async function run(machine, given) {
  const step = {}, gives = {}, kept = {};
  const { do: what, is: wanted = 'ok', says = '', ...fields } = given;
  for (const [field, value] of Object.entries(fields)) {
    if (field.startsWith('gives_')) gives[field.slice(6)] = value;
    else if (['keep', 'keep_id', 'same_as', 'differs_from'].includes(field)) kept[field] = value;
    else step[field] = value;
  }
  const data = takeContent(step);
  if (data !== null) step.data = data;
  const seen = new Set();
  const { said, text, came } = await answer(machine, what, watched(step, seen));
  assert.equal(said, wanted, `answer (${text})`);
  assert.ok(text.includes(says), `${text} does not say ${says}`);
  for (const field of Object.keys(step)) assert.ok(seen.has(field), `what is the field ${field}?`);
  if (wanted === 'ok') compare(machine, came, gives, kept);
}

async function main() {
  const table = fs.readFileSync(path.join(ROOT, 'tests/behaviour/behaviour.json'), 'utf8');
  const { cases } = JSON.parse(table);
  let steps = 0, failed = 0;
  for (const each of cases) {
    const place = await Place.make();
    const machine = new Machine(place);
    for (const [at, step] of each.steps.entries()) {
      ++steps;
      try {
        await run(machine, step);
      } catch (error) {  // the next case may tell more
        ++failed;
        console.log(`FAILED: ${each.name}, step ${at + 1}: ${JSON.stringify(step).slice(0, 300)}`);
        console.log(error);
        break;
      }
    }
    await place.remove();
  }
  console.log(`${steps} steps of ${cases.length} cases, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

await main();
