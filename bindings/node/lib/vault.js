'use strict';
// Vaults, and what needs none.

const { inspect } = require('node:util');
const { native } = require('./native.js');
const {
  bytes, date, file, flag, number, optionalDate, optionalFile, optionalFunction, optionalText, options, text,
  texts,
} = require('./arguments.js');
const { Handle, MAKING, Open, call, openOf, refuseOthers } = require('./open.js');
const { Scope } = require('./scope.js');

const TIMEOUT = 2 ** 32 - 1;

async function newKeyFile(path) {
  const name = file(path, 'the path');
  await call(() => native.newKeyFile(name));
}

async function verifyCertificate(certificate, issuerPem) {
  const document = bytes(certificate, 'the certificate'), pem = text(issuerPem, "the issuer's key");
  return call(() => native.verifyCertificate(document, pem));
}

const unlock = (how) => [optionalFile(how.keyFile, 'the key file'),
                         optionalFile(how.passphraseFile, 'the passphrase file')];

// What console.log() and error reports show of a subject: not what opens the commitment to it.
const discreet = { __proto__: null, value: () => 'Subject {}' };

// It is done: nothing may be raised here.
function guarded(erasure) {
  for (const subject of erasure.subjects ?? []) Object.defineProperty(subject, inspect.custom, discreet);
  return erasure;
}

class Vault extends Handle {
  #open;

  constructor(making, handle) {
    refuseOthers(making, 'use Vault.open() or Vault.create()');
    const open = new Open(handle, 'vault');
    super(open);
    this.#open = open;
  }

  static async create(folder, how) {
    const given = options(how, ['keyFile', 'passphraseFile', 'rootFolder', 'insecureRootInVault',
                                'acceptUnknownMedium']);
    const wanted = [file(folder, 'the folder'), ...unlock(given),
                    optionalFile(given.rootFolder, 'the root folder'),
                    flag(given.insecureRootInVault, 'insecureRootInVault'),
                    flag(given.acceptUnknownMedium, 'acceptUnknownMedium')];
    return new Vault(MAKING, await call(() => native.create(...wanted)));
  }

  static async open(folder, how) {
    const given = options(how, ['keyFile', 'passphraseFile', 'readOnly', 'requireLockedMemory',
                                'acknowledgementTimeout', 'lockTimeout', 'onNotice']);
    const wanted = [file(folder, 'the folder'), ...unlock(given), flag(given.readOnly, 'readOnly'),
                    flag(given.requireLockedMemory, 'requireLockedMemory'),
                    number(given.acknowledgementTimeout, 1, TIMEOUT, 'acknowledgementTimeout'),
                    number(given.lockTimeout, 1, TIMEOUT, 'lockTimeout')];
    const onNotice = optionalFunction(given.onNotice, 'onNotice');
    const opened = await call(() => native.open(...wanted));
    const vault = new Vault(MAKING, opened.vault);
    try {
      if (onNotice) for (const line of opened.notices ?? []) await onNotice(line);
    } catch (error) {
      await vault.close();  // nobody gets it
      throw error;
    }
    return vault;
  }

  // ---- scopes ----

  async createScope(path, how) {
    const given = options(how, ['dataClass', 'derivedFrom']);
    const wanted = [text(path, 'the path'), optionalText(given.dataClass, 'the data class'),
                    texts(given.derivedFrom ?? [], 'derivedFrom')];
    return new Scope(MAKING, this,
                     await this.#open.call((vault) => native.createScope(vault, ...wanted)));
  }

  async scope(path, how) {
    const wanted = [text(path, 'the path'), optionalText(options(how, ['use']).use, 'the use')];
    return new Scope(MAKING, this,
                     await this.#open.call((vault) => native.openScope(vault, ...wanted)));
  }

  async describe(path) {
    const of = text(path, 'the path');
    return this.#open.call((vault) => native.describe(vault, of));
  }

  async children(path = '') {
    const of = text(path, 'the path');
    return this.#open.call((vault) => native.children(vault, of));
  }

  // ---- the end of data ----

  async erase(paths, reason) {
    const of = texts(paths, 'the paths'), why = text(reason, 'the reason');
    return guarded(await this.#open.call((vault) => native.erase(vault, of, why)));
  }

  async resume() {
    return (await this.#open.call(native.resume)).map(guarded);
  }

  async scheduleErasure(paths, reason) {
    const of = texts(paths, 'the paths'), why = text(reason, 'the reason');
    return this.#open.call((vault) => native.scheduleErasure(vault, of, why));
  }

  async cancelErasure(paths) {
    const of = texts(paths, 'the paths');
    await this.#open.call((vault) => native.cancelErasure(vault, of));
  }

  async applyPolicy(toml) {
    const policy = text(toml, 'the policy');
    await this.#open.call((vault) => native.applyPolicy(vault, policy));
  }

  async terminate(path, effective) {
    const of = text(path, 'the path'), when = date(effective, 'the day');
    await this.#open.call((vault) => native.terminate(vault, of, when));
  }

  async cancelTermination(path) {
    const of = text(path, 'the path');
    await this.#open.call((vault) => native.cancelTermination(vault, of));
  }

  async withdrawConsent(path, when) {
    const of = text(path, 'the path'), day = date(when, 'the day');
    await this.#open.call((vault) => native.withdrawConsent(vault, of, day));
  }

  async sweep(how) {
    const given = options(how, ['dryRun', 'maxScopes']);
    const wanted = [flag(given.dryRun, 'dryRun'),
                    number(given.maxScopes, 1, Number.MAX_SAFE_INTEGER, 'maxScopes')];
    const report = await this.#open.call((vault) => native.sweep(vault, ...wanted));
    report.erasures.forEach(guarded);
    return report;
  }

  // ---- keys and holds ----

  async suspend(path, reason) {
    await this.#change(native.suspend, path, reason);
  }

  async unsuspend(path, reason) {
    await this.#change(native.unsuspend, path, reason);
  }

  async deactivate(path, reason) {
    await this.#change(native.deactivate, path, reason);
  }

  async rotate(path, reason) {
    await this.#change(native.rotate, path, reason);
  }

  async purge(path, reason) {
    await this.#change(native.purge, path, reason);
  }

  async #change(change, path, reason) {
    const of = text(path, 'the path'), why = text(reason, 'the reason');
    await this.#open.call((vault) => change(vault, of, why));
  }

  async hold(path, reason, how) {
    const given = options(how, ['authority', 'until']);
    const wanted = [text(path, 'the path'), text(reason, 'the reason'),
                    optionalText(given.authority, 'the authority'),
                    optionalDate(given.until, 'until')];
    return this.#open.call((vault) => native.hold(vault, ...wanted));
  }

  async release(hold) {
    const id = text(hold, 'the id');
    await this.#open.call((vault) => native.release(vault, id));
  }

  // ---- evidence ----

  async certificates() {
    return this.#open.call(native.certificates);
  }

  async certificate(certificateId) {
    const id = text(certificateId, 'the id');
    return this.#open.call((vault) => native.certificate(vault, id));
  }

  async certificateOf(scope) {
    const of = text(scope, 'the scope');
    return this.#open.call((vault) => native.certificateOf(vault, of));
  }

  async issuingKeyPem() {
    return this.#open.call(native.issuingKeyPem);
  }

  async status() {
    return this.#open.call(native.status);
  }

  async check() {
    return this.#open.call(native.check);
  }
}

module.exports = { Vault, newKeyFile, verifyCertificate };
