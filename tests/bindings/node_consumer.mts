// A program that is compiled, and not run: the declarations of the Node.js package, each used once.
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import {
  Batch, QuietusError, Scope, Vault, newKeyFile, verifyCertificate, version,
  type Appointment, type CertificateInfo, type CheckReport, type Erasure, type ErrorCode, type RecordInfo,
  type ScopeInfo, type Status, type Subject, type SweepReport, type Verified,
} from 'quietus';

const said: string = version;
await newKeyFile('key');
await newKeyFile(new URL('file:///key'));

let vault: Vault = await Vault.create('vault', {
  keyFile: 'key', rootFolder: 'roots', insecureRootInVault: false, acceptUnknownMedium: true });
await vault.close();
const closed: boolean = vault.closed;
vault = await Vault.open('vault', {
  passphraseFile: 'words', readOnly: true, requireLockedMemory: false, acknowledgementTimeout: 1, lockTimeout: 2 });

async function records(): Promise<void> {
  const scope: Scope = await vault.createScope('acme', { dataClass: 'x', derivedFrom: new Set(['y']) });
  const other = await vault.scope('acme', { use: 'consent' });
  const id: string = scope.id;
  const written: Buffer = await scope.put('x', new Uint8Array(1), { contentType: 'a', mustBeNew: true });
  await scope.put('x', new ArrayBuffer(1), { expected: written });
  await scope.put('x', new DataView(new SharedArrayBuffer(1)), null);
  const content: Buffer | null = await scope.get('x');
  await scope.putStream('x', createReadStream('file'), { expected: written });
  await scope.putStream('x', Readable.from([Buffer.from('a')]));
  await scope.putStream('x', [Buffer.from('a')]);
  const stream = await scope.getStream('x');
  if (stream) await pipeline(stream, createWriteStream('file'));
  for await (const piece of (await scope.getStream('x'))!) piece.subarray(1);
  const info: RecordInfo | null = await scope.stat('x');
  const removed: boolean = await scope.remove('x', { expected: info!.version });
  const names: string[] = (await scope.list()).concat(await scope.list('p')).map((each) => each.name);
  await scope.batch((batch: Batch) => {
    batch.put('x', Buffer.from('a'), { mustBeNew: true });
    batch.remove('y');
  });
  await scope.batch(async (batch) => batch.remove('y'));
  const token: Buffer = await scope.seal(Buffer.from('a'));
  const opened: Buffer = await scope.open(token);
  const stands: Buffer = await scope.pseudonym(opened);
  await other.close();
  console.log(said, closed, id, content, removed, names, stands, scope.closed);
}

async function ends(): Promise<void> {
  const described: ScopeInfo = await vault.describe('acme');
  const below: ScopeInfo[] = (await vault.children()).concat(await vault.children('acme'));
  const erasure: Erasure = await vault.erase(['acme'], 'test');
  const subject: Subject | undefined = erasure.subjects?.[0];
  const resumed: Erasure[] = await vault.resume();
  const made: Appointment[] = await vault.scheduleErasure('acme', 'contract-ended');
  await vault.cancelErasure('acme');
  await vault.applyPolicy('');
  await vault.terminate('acme', new Date());
  await vault.cancelTermination('acme');
  await vault.withdrawConsent('acme', new Date());
  const report: SweepReport = await vault.sweep({ dryRun: true, maxScopes: 3 });
  for (const change of [vault.suspend, vault.unsuspend, vault.deactivate, vault.rotate, vault.purge])
    await change.call(vault, 'acme', 'test');
  const hold: string = await vault.hold('acme', 'litigation', { authority: 'a', until: new Date() });
  await vault.release(hold);
  console.log(described.created?.getTime(), below, subject?.salt, resumed, made[0]?.when, report.erasures);
}

async function evidence(): Promise<void> {
  const listed: CertificateInfo[] = await vault.certificates();
  const document: Buffer = await vault.certificate(listed[0]!.id);
  const other: Buffer = await vault.certificateOf('acme');
  const verified: Verified = await verifyCertificate(document, await vault.issuingKeyPem());
  const status: Status = await vault.status();
  const report: CheckReport = await vault.check();
  console.log(other, verified.slotDestroyed, status.tenants, report.damages[0]?.where);
}

try {
  await records();
  await ends();
  await evidence();
  await vault[Symbol.asyncDispose]();
} catch (error) {
  if (!(error instanceof QuietusError)) throw error;
  const code: ErrorCode | 'ERR_QUIETUS_UNKNOWN' = error.code;
  const number: number = error.number;
  if (code === 'ERR_QUIETUS_ERASED') console.log(number, new QuietusError(-1, 'mine').message);
}

// What must not compile.
// @ts-expect-error: text is no bytes
const wrong = (scope: Scope) => scope.put('x', 'text');
// @ts-expect-error: one way to unlock
const open = () => Vault.open('vault', { keyFile: 'a', passphraseFile: 'b' });
// @ts-expect-error: no way to unlock
const none = () => Vault.open('vault', {});
// @ts-expect-error: an option that there is not
const option = (scope: Scope) => scope.put('x', Buffer.from(''), { mustbenew: true });
// @ts-expect-error: not made with new
const made = () => new Vault();
// @ts-expect-error: it may be null
const absent = async (scope: Scope) => (await scope.get('x')).length;
console.log(wrong, open, none, option, made, absent);
