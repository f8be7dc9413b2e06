/**
 * Quietus: a vault of encrypted records whose keys can be destroyed.
 *
 * What may wait for a disk gives a promise, and works beside JavaScript's thread. What the library
 * refuses is a {@link QuietusError}, a value of a wrong type a `TypeError`. Times are `Date`s; ids are
 * hex digits; bytes come as a `Buffer` of their own.
 */

/// <reference types="node" />

/** What has bytes. A string has none: say `Buffer.from(text)` for UTF-8. */
export type Bytes = ArrayBufferView | ArrayBufferLike;

/** The path of a file or folder, or a `file:` URL. */
export type Path = string | URL;

export type ErrorCode =
  /** The call itself is wrong; correct it. */
  | 'ERR_QUIETUS_INVALID_ARGUMENT'
  /** No such vault, scope or certificate. */
  | 'ERR_QUIETUS_NOT_FOUND'
  /** It existed and was crypto-erased; final. */
  | 'ERR_QUIETUS_ERASED'
  /** Processing is restricted; nothing is lost. */
  | 'ERR_QUIETUS_RESTRICTED'
  /** A legal hold is in the way. */
  | 'ERR_QUIETUS_HELD'
  /** Wrong state, or a guard stopped it. */
  | 'ERR_QUIETUS_REFUSED'
  /** The name is taken. */
  | 'ERR_QUIETUS_ALREADY_EXISTS'
  /** Compare-and-set: somebody else wrote first. */
  | 'ERR_QUIETUS_CONFLICT'
  /** The unlock secret is not the right one. */
  | 'ERR_QUIETUS_WRONG_KEY'
  /** Stored bytes are damaged or were tampered with. */
  | 'ERR_QUIETUS_CORRUPT'
  /** An older copy of the store was put back; nothing was touched. */
  | 'ERR_QUIETUS_ROLLED_BACK'
  /** A certificate or log does not verify. */
  | 'ERR_QUIETUS_UNVERIFIED'
  /** Somebody else holds it; try again. */
  | 'ERR_QUIETUS_BUSY'
  /** Disk or map exhausted; nothing was changed. */
  | 'ERR_QUIETUS_FULL'
  /** Cannot be reached now; a write may or may not have happened. */
  | 'ERR_QUIETUS_UNAVAILABLE'
  /** Of a newer version, or not offered here. */
  | 'ERR_QUIETUS_UNSUPPORTED'
  /** An erasure began, is recorded and will resume; never a success. */
  | 'ERR_QUIETUS_ERASURE_INCOMPLETE'
  /** The operating system refused; state is as before. */
  | 'ERR_QUIETUS_IO_ERROR'
  /** A defect of the library, or no memory. */
  | 'ERR_QUIETUS_INTERNAL_ERROR'
  /** The object was replaced while it was read; read again. */
  | 'ERR_QUIETUS_CHANGED';

/**
 * What the library refused, or could not do. The message says what, where, and what to do; it holds no
 * secrets, contents or names.
 */
export class QuietusError extends Error {
  constructor(number: number, message: string);
  readonly code: ErrorCode | 'ERR_QUIETUS_UNKNOWN';
  /** As in quietus.h, negative. */
  readonly number: number;
}

/** Of the library. */
export const version: string;

/** Makes a key file of 256 random bits that only its owner may read. It is durable then. */
export function newKeyFile(path: Path): Promise<void>;

/** Needs no vault and no network. `ERR_QUIETUS_UNVERIFIED` says what does not hold. */
export function verifyCertificate(certificate: Bytes, issuerPem: string): Promise<Verified>;

/** How a vault is unlocked: one of the two. */
export type Unlock =
  | { keyFile: Path; passphraseFile?: null | undefined }
  /** Its first line is the passphrase. */
  | { passphraseFile: Path; keyFile?: null | undefined };

export type CreateOptions = Unlock & {
  /** Where the root slots lie: what an erasure destroys. No backup takes it. */
  rootFolder?: Path | null | undefined;
  /** The slots may lie in the vault's folder. */
  insecureRootInVault?: boolean | null | undefined;
  /** Also on a file system that is not known to overwrite in place. */
  acceptUnknownMedium?: boolean | null | undefined;
};

export type OpenOptions = Unlock & {
  readOnly?: boolean | null | undefined;
  requireLockedMemory?: boolean | null | undefined;
  /** Of other processes, in an erasure; in milliseconds. 5,000 if not given. */
  acknowledgementTimeout?: number | null | undefined;
  /** In milliseconds. 10,000 if not given. */
  lockTimeout?: number | null | undefined;
  /**
   * A line for your log: what the open did or found besides its answer. Called once a line, before
   * `open()` is fulfilled, and awaited. When it raises something, the vault is closed and `open()`
   * rejects with that. What an open that failed found is not told.
   */
  onNotice?: ((line: string) => unknown) | null | undefined;
};

/** What is open: closed by `close()`, at the end of `await using`, or when nobody has it any more. */
declare abstract class Handle {
  /** Whether `close()` was called. */
  readonly closed: boolean;
  /**
   * Waits for what was called before and is not done; streams that are being read end with an error. A
   * second time it does nothing else. What it waits for must not wait for it: the function of a batch,
   * the source of a stream.
   */
  close(): Promise<void>;
  /** The same, where the runtime knows `Symbol.asyncDispose`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** One folder with encrypted records. A process opens a vault once. */
export class Vault extends Handle {
  private constructor();

  /** Makes a vault in a folder that is absent or empty. It is durable then. */
  static create(folder: Path, options: CreateOptions): Promise<Vault>;
  /** Opens a vault, and first finishes any erasure that was interrupted. */
  static open(folder: Path, options: OpenOptions): Promise<Vault>;

  /** The parent must exist. It dies with any of those that it was `derivedFrom`. It is durable then. */
  createScope(path: string, options?: {
    dataClass?: string | null | undefined;
    derivedFrom?: string | Iterable<string> | null | undefined;
  } | null): Promise<Scope>;
  /** With `use` also of a restricted scope, for what the law allows. Each call through it is logged. */
  scope(path: string, options?: { use?: LawfulUse | null | undefined } | null): Promise<Scope>;
  describe(path: string): Promise<ScopeInfo>;
  /** Those directly below; tenants for "". Erased ones have no name any more. */
  children(path?: string): Promise<ScopeInfo[]>;

  /**
   * Destroys the keys of the scopes and certifies it. `reason` is a code ("contract-ended",
   * "deletion-request", …) or free text. `ERR_QUIETUS_ERASURE_INCOMPLETE`: begun and recorded, it will
   * resume. After `ERR_QUIETUS_INTERNAL_ERROR` (as without memory) and `ERR_QUIETUS_UNAVAILABLE` it is not
   * known what happened: look with `describe()` or `status()`. After any other error nothing was destroyed.
   */
  erase(paths: string | Iterable<string>, reason: string): Promise<Erasure>;
  /** Finishes erasures that are pending. Errors mean what they mean for `erase()`. */
  resume(): Promise<Erasure[]>;
  /** Restricts the scopes at once; a sweep destroys their keys after the grace of their class. */
  scheduleErasure(paths: string | Iterable<string>, reason: string): Promise<Appointment[]>;
  cancelErasure(paths: string | Iterable<string>): Promise<void>;
  /** A new retention policy. `ERR_QUIETUS_INVALID_ARGUMENT` names the line. */
  applyPolicy(toml: string): Promise<void>;
  /** The agreement ends then: from that day on nothing is written, and rules count from it. */
  terminate(path: string, effective: Date): Promise<void>;
  cancelTermination(path: string): Promise<void>;
  withdrawConsent(path: string, when: Date): Promise<void>;
  /**
   * Erases what is due by the policy; at most `maxScopes`, else `ERR_QUIETUS_REFUSED`. Not given: 1,000
   * or a tenth of all, whichever is less, and 10 always. `ERR_QUIETUS_REFUSED`: nothing was destroyed.
   * After another error some erasures may be done: `certificates()` has them.
   */
  sweep(options?: {
    dryRun?: boolean | null | undefined;
    maxScopes?: number | null | undefined;
  } | null): Promise<SweepReport>;

  /** Restricts processing: reads and writes answer `ERR_QUIETUS_RESTRICTED`. */
  suspend(path: string, reason: string): Promise<void>;
  unsuspend(path: string, reason: string): Promise<void>;
  /** Ends writing; reads go on. */
  deactivate(path: string, reason: string): Promise<void>;
  /** A new key, beside reads and writes; the old one stays until nothing needs it. */
  rotate(path: string, reason: string): Promise<void>;
  /** A new key, and the old one is destroyed: what was removed or replaced is unrecoverable. */
  purge(path: string, reason: string): Promise<void>;
  /**
   * Keeps the scope and all below from being erased, overwritten or removed; the id of the hold.
   * `authority` is sealed. Without `until` it lasts until it is released.
   */
  hold(path: string, reason: string, options?: {
    authority?: string | null | undefined;
    until?: Date | null | undefined;
  } | null): Promise<string>;
  release(hold: string): Promise<void>;

  certificates(): Promise<CertificateInfo[]>;
  certificate(certificateId: string): Promise<Buffer>;
  /** Of an erased scope, by its path or its id of 16 digits. */
  certificateOf(scope: string): Promise<Buffer>;
  /** The public key that certificates verify against. */
  issuingKeyPem(): Promise<string>;
  status(): Promise<Status>;
  /** Authenticates every stored byte; does not stop at the first damage. */
  check(): Promise<CheckReport>;
}

export type LawfulUse = 'consent' | 'legal-claims' | 'rights-of-others' | 'public-interest';

export interface PutOptions {
  /** At most 255 bytes. */
  contentType?: string | null | undefined;
  /** Only if the record has that version now, else `ERR_QUIETUS_CONFLICT`. */
  expected?: Bytes | null | undefined;
  /** Only if there is none, else `ERR_QUIETUS_CONFLICT`. */
  mustBeNew?: boolean | null | undefined;
}

/** Records under one key. Made by `Vault.scope()` and `Vault.createScope()`. */
export class Scope extends Handle {
  private constructor();

  /** What logs and certificates call it: 16 hex digits. */
  readonly id: string;

  /** Stores a record, or replaces it; gives its version. It is durable then. */
  put(name: string, data: Bytes, options?: PutOptions | null): Promise<Buffer>;
  /** null: there is no such record. */
  get(name: string): Promise<Buffer | null>;
  /**
   * Stores what a `Readable`, or another iterable of bytes, gives until it ends, in constant memory.
   * What the source raises comes out, and nothing was stored.
   */
  putStream(name: string, source: AsyncIterable<Bytes> | Iterable<Bytes>,
            options?: PutOptions | null): Promise<Buffer>;
  /**
   * The content piece by piece, each authenticated before it is given; null: there is no such record.
   * For `for await`, or for `pipeline()` into a `Writable`. After an error there was only the beginning.
   */
  getStream(name: string): Promise<AsyncIterableIterator<Buffer> | null>;
  /** null: there is no such record. */
  stat(name: string): Promise<RecordInfo | null>;
  /** false: there was no such record. It is durable then. */
  remove(name: string, options?: { expected?: Bytes | null | undefined } | null): Promise<boolean>;
  /** Every record whose name begins so, in no order. */
  list(prefix?: string): Promise<RecordInfo[]>;
  /**
   * Several writes that happen together or not at all: when `fill`, and the promise that it may give,
   * end without an error.
   */
  batch(fill: (batch: Batch) => unknown): Promise<void>;

  /** A token with the data in it, to be kept elsewhere; unrecoverable once the scope is erased. */
  seal(data: Bytes): Promise<Buffer>;
  /** `ERR_QUIETUS_INVALID_ARGUMENT`: no token; `_REFUSED`: of another vault or scope; `_CORRUPT`. */
  open(token: Bytes): Promise<Buffer>;
  /** 16 bytes that stand for a value: the same for the same value, for ever; others in every scope. */
  pseudonym(value: Bytes): Promise<Buffer>;
}

/**
 * What `Scope.batch()` fills, until its function, and the promise that it may give, has ended: later it is
 * an error. Names and values are copied in.
 */
export class Batch {
  private constructor();
  put(name: string, data: Bytes, options?: PutOptions | null): void;
  remove(name: string): void;
}

export interface RecordInfo {
  name: string;
  /** In bytes. */
  size: number;
  /** Empty: none was given. */
  contentType: string;
  modified: Date | null;
  /** 24 bytes that may be kept anywhere: another after every write, and never the same again. */
  version: Buffer;
}

export interface ScopeInfo {
  /** Empty when erased: the name went with the key. */
  path: string;
  dataClass: string;
  /** "active", "erased", "suspended", … */
  state: string;
  /** What logs and certificates call it: 16 hex digits. */
  id: string;
  created: Date | null;
  erased: Date | null;
}

export interface Status {
  vaultId: string;
  /** Of the root slots. */
  assurance: string;
  rootGeneration: number;
  tenants: number;
  logSize: number;
  certificates: number;
  pendingErasures: number;
  /** With this vault open, this one included. */
  processes: number;
  readOnly: boolean;
  keyMemoryLocked: boolean;
  lastBackup: Date | null;
}

export interface CheckReport {
  scopes: number;
  records: number;
  /** In bytes, of content, authenticated. */
  size: number;
  logEntries: number;
  damages: { where: string; what: string }[];
}

/** What opens a certificate's commitment to whose scope it was. A tenant's is kept nowhere else. */
export interface Subject {
  scopeId: string;
  /** Like the salt, not shown by `console.log()`. */
  path: string;
  /** 64 hex digits. */
  salt: string;
}

export interface Erasure {
  erasureId: string;
  certificateId: string;
  /** The signed document. null: no memory was left to show it; `certificate(certificateId)` reads it. */
  certificate: Buffer | null;
  /** null: no memory was left to show them. */
  subjects: Subject[] | null;
}

/** When an erasure that was asked for is made. */
export interface Appointment {
  path: string;
  when: Date | null;
}

export interface SweepReport {
  /** That ended, or would. */
  scopes: number;
  limit: number;
  /** Whose day has come: held, restricted, to be reviewed. */
  kept: number;
  holdsEnded: number;
  termsEnded: number;
  keysRetired: number;
  erasures: Erasure[];
}

export interface CertificateInfo {
  id: string;
  status: string;
  issued: Date | null;
}

export interface Verified {
  certificateId: string;
  vaultId: string;
  /** "complete", "partial", "pending-snapshots". */
  status: string;
  /** "single-user", "policy", "approval", "unknown". */
  decidedBy: string;
  reason: string;
  slotDestroyed: Date | null;
  scopeIds: string[];
}
