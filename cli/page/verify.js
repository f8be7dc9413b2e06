// Checks a certificate: its text and a key in, what was verified out. Knows nothing of the page.
// The rules are those of docs/format.md, section 8; `quietus cert verify` checks more of the form.

const CERTIFICATE_FORM =
  /^\{"payload":"([A-Za-z0-9_-]+)","protected":"([A-Za-z0-9_-]+)","signature":"([A-Za-z0-9_-]+)"\}\n$/;
const CERTIFICATE_HEADER = 'quietus-erasure-cert+jws';
const CERTIFICATE_TYPE = 'quietus-erasure-certificate';
const KNOWN_VERSIONS = [1];

// Something does not hold; the message says what, for people.
class Refusal extends Error {}
// This browser cannot check at all.
class Unable extends Error {}

function hold(condition, reason) {
  if (!condition) throw new Refusal(reason);
}

// ---- bytes ------------------------------------------------------------------------------------

const utf8 = (text) => new TextEncoder().encode(text);
const binaryText = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const toBase64 = (bytes) => btoa(binaryText(bytes));
const toBase64url = (bytes) =>
  toBase64(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

// One text per value: what atob() would read leniently is refused.
function fromBase64(text, what) {
  try {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    if (toBase64(bytes) === text) return bytes;
  } catch {
    /* refused below */
  }
  throw new Refusal(`${what} is not readable.`);
}

function fromHex(text, what) {
  hold(/^([0-9a-f]{2})+$/.test(text), `${what} is not readable.`);
  return Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16));
}

function fromBase64url(text, what) {
  const padding = '='.repeat((4 - (text.length % 4)) % 4);
  return fromBase64(text.replace(/-/g, '+').replace(/_/g, '/') + padding, what);
}

function plainText(bytes, what) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal(`${what} is not text.`);
  }
}

// JSON that has one text: no member twice, no spaces, ASCII only. What is shown is what was signed.
function canonicalJson(text, what) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(`${what} is not JSON.`);
  }
  const escaped = JSON.stringify(value).replace(
    /[^\x00-\x7e]/g,
    (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'),
  );
  hold(escaped === text, `${what} could be read in more than one way.`);
  hold(value !== null && typeof value === 'object', `${what} is not an object.`);
  return value;
}

// ---- keys and signatures ----------------------------------------------------------------------

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

async function signatureHolds(key, signature, message) {
  let imported;
  try {
    imported = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
  } catch (error) {
    if (error.name === 'NotSupportedError') throw new Unable();
    return false;
  }
  return crypto.subtle.verify({ name: 'Ed25519' }, imported, signature, message);
}

// The 32 bytes of an Ed25519 public key in PEM (RFC 8410).
function keyFromPem(pem) {
  hold(
    !/PRIVATE KEY/.test(pem),
    'That is a private key. Nobody needs to see it; the issuer’s ' +
      'public key is what is needed here.',
  );
  const body = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(
    pem,
  );
  hold(body, 'That is not a public key in PEM form: it begins with “-----BEGIN PUBLIC KEY-----”.');
  const der = fromBase64(body[1].replace(/\s/g, ''), 'The key');
  const prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
  hold(
    der.length === 44 && prefix.every((byte, i) => der[i] === byte),
    'That key is not an Ed25519 key, and no certificate is signed with another kind.',
  );
  return der.slice(12);
}

// RFC 7638: what `kid` names a key by.
async function fingerprintOf(key) {
  return toBase64url(await sha256(utf8(`{"crv":"Ed25519","kty":"OKP","x":"${toBase64url(key)}"}`)));
}

// The parts of a certificate's text, and the fingerprint of the key that it names. Nothing of it
// is verified yet.
function takeApart(text) {
  const parts = CERTIFICATE_FORM.exec(text);
  hold(parts, 'The certificate in this page does not have the form of one.');
  const [, payload, header, signature] = parts;
  const headerText = plainText(fromBase64url(header, 'Its header'), 'Its header');
  const { alg, kid, typ } = canonicalJson(headerText, 'Its header');
  hold(
    headerText === JSON.stringify({ alg, kid, typ }) &&
      ['EdDSA', 'Ed25519'].includes(alg) &&
      typ === CERTIFICATE_HEADER,
    'Its header is not that of an erasure certificate.',
  );
  return {
    payload,
    kid,
    signed: utf8(`${header}.${payload}`),
    signature: fromBase64url(signature, 'Its signature'),
  };
}

// The payload, once the key's signature over it holds.
async function openSigned(text, key) {
  const parts = takeApart(text);
  const fingerprint = await fingerprintOf(key);
  hold(
    parts.kid === fingerprint,
    'It was not signed with this key. The key has the fingerprint ' +
      `${fingerprint}, the certificate names ${parts.kid}.`,
  );
  hold(
    await signatureHolds(key, parts.signature, parts.signed),
    'The signature does not fit: the certificate was changed after it was signed, or was never ' +
      'signed with this key.',
  );
  const bytes = fromBase64url(parts.payload, 'Its content');
  const payload = canonicalJson(plainText(bytes, 'Its content'), 'Its content');
  hold(payload.type === CERTIFICATE_TYPE, 'What was signed is not an erasure certificate.');
  hold(
    KNOWN_VERSIONS.includes(payload.version),
    `It is of version ${payload.version}, which this page cannot judge.`,
  );
  hold(payload.issuer?.kid === fingerprint, 'It names another issuer than the one that signed it.');
  return payload;
}

// ---- what the log says against what the certificate says --------------------------------------

function onlyEntry(entries, kind, missing) {
  const found = entries.filter((entry) => entry.kind === kind);
  hold(found.length === 1, missing);
  return found[0];
}

// A scope that was erased in a batch: its statement is a leaf of the tree whose root the log has.
async function checkStatement(
  { batch, erasure_id, reason, targets, unreadable }, unreachable) {
  const lost = 'The log does not show that this scope was among those erased together.';
  hold(batch && targets.length === 1 && batch.scopes === unreachable.scopes, lost);
  const { statement_id, index, scopes, proof } = batch;
  const statement = JSON.stringify({ statement_id, erasure_id, reason, target: targets[0], unreadable });
  const hashes = proof.map((hash) => fromHex(hash, 'A hash of the batch'));
  const root = index < scopes && (await rootOf(utf8(statement), index, scopes, hashes));
  hold(root && toHex(root) === unreachable.statements, lost);
}

function checkKeys(payload, entries, unreachable) {
  const keys = payload.targets.flatMap(({ scope_id: scope, keys: list }) =>
    list.map((key) => ({ ...key, scope })),
  );
  hold(keys.length > 0, 'It names no keys.');
  for (const key of keys) {
    const created = entries.find((e) => e.kind === 'key-created' && e.key === key.key_id);
    hold(
      created &&
        created.scope === key.scope &&
        created.line === key.line &&
        created.generation === key.generation &&
        created.commitment === key.commitment &&
        created.index < unreachable.index,
      `The log does not show the making of the key ${key.key_id} as the certificate states it.`,
    );
    hold(
      unreachable.kind === 'batch-unreachable' || unreachable.keys.includes(key.key_id),
      `The key ${key.key_id} is not among those that the log says became unreachable.`,
    );
  }
}

function checkTimes({ times, issued_at: issued }) {
  const order = [times.begun, times.keys_unreachable, times.slot_destroyed, issued];
  hold(
    order.every((time, i) => i === 0 || order[i - 1] <= time),
    'Its times are not in order.',
  );
}

function checkStatus({ status, phase, root, exports_known: known, key_snapshots: snapshots }) {
  hold(
    ['complete', 'partial', 'pending-snapshots'].includes(status) &&
      ['final', 'live'].includes(phase),
    'Its status is not one that exists.',
  );
  hold(
    (phase === 'live') === snapshots.some((snapshot) => !snapshot.attested) &&
      (status === 'partial' || (status === 'pending-snapshots') === (phase === 'live')),
    'Its status does not agree with the key snapshots that it lists.',
  );
  if (status === 'partial') return;
  const seen = root.slots_destroyed.every(
    (slot) => slot.overwritten && slot.read_back && slot.gone,
  );
  hold(
    seen && root.assurance_known && known,
    'It says “complete”, but its own details say that not everything was seen destroyed.',
  );
}

// Another instance of the vault can hold the keys, whatever was destroyed in this one, until its own
// certificate says that they were destroyed there as well.
function checkInstances({ certificate_id, supersedes, status, instances, instances_known: known }) {
  instances.forEach(({ instance_id: id }, i) =>
    hold(
      /^[0-9a-f]{32}$/.test(id) && (i === 0 || instances[i - 1].instance_id < id),
      'The other instances of the vault are not listed in order, each of them once.',
    ),
  );
  const receipts = instances.map(({ receipt }) => receipt).filter((receipt) => receipt !== '');
  hold(
    receipts.every(
      (receipt, i) =>
        /^[0-9a-f]{32}$/.test(receipt) &&
        receipts.indexOf(receipt) === i &&
        ![certificate_id, ...supersedes].includes(receipt),
    ),
    'What it names as receipts of other instances of the vault are not certificates of theirs.',
  );
  hold(
    status === 'partial' || (known === true && receipts.length === instances.length),
    `It says “${status}”, but by its own details another instance of the vault may hold the keys.`,
  );
}

async function checkEvidence(payload, entries) {
  const unreachable = onlyEntry(
    entries,
    'batch' in payload ? 'batch-unreachable' : 'keys-unreachable',
    'There is no proof that the keys became unreachable.',
  );
  const destroyed = onlyEntry(
    entries,
    'slot-destroyed',
    'There is no proof that the root slot was destroyed.',
  );
  const { root, times, holders, erasure_id: erasure } = payload;
  hold(
    unreachable.erasure === erasure &&
      destroyed.erasure === erasure &&
      unreachable.generation_before === root.generation_before &&
      unreachable.generation_after === root.generation_after,
    'The log tells of another erasure than the certificate.',
  );
  hold(
    unreachable.time === times.keys_unreachable &&
      destroyed.time === times.slot_destroyed &&
      unreachable.index < destroyed.index,
    'The log gives other times than the certificate.',
  );
  hold(
    destroyed.slots.join() === root.slots_destroyed.map((slot) => slot.slot_id).join() &&
      destroyed.acknowledged === holders.acknowledged &&
      destroyed.ended === holders.ended,
    'The log names other root slots or holders than the certificate.',
  );
  checkKeys(payload, entries, unreachable);
  if ('batch' in payload) await checkStatement(payload, unreachable);
}

// Everything. What was checked is told through `passed`, a line at a time; the payload is returned
// when all of it holds.
async function verifyCertificate(text, key, passed) {
  if (!globalThis.crypto?.subtle) throw new Unable();
  const payload = await openSigned(text, key);
  passed('The signature fits the key, and no letter was changed since.');
  try {
    const { entries, checkpoint } = await openLog(payload);
    passed(
      `${entries.length} log entries are in the vault’s log of ${checkpoint.size} entries, ` +
        'under one checkpoint signed with the log’s key.',
    );
    await checkEvidence(payload, entries);
    passed('Keys, root slots, order and times in the log are those that the certificate states.');
    checkTimes(payload);
    checkStatus(payload);
    checkInstances(payload);
    passed(`The status “${payload.status}” agrees with the details.`);
  } catch (error) {
    if (error instanceof TypeError) throw new Refusal('A part of it is missing or malformed.');
    throw error;
  }
  return payload;
}
