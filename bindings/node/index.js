'use strict';
// Quietus: a vault of encrypted records whose keys can be destroyed. See index.d.ts and docs/node.md.

const { native } = require('./lib/native.js');
const { QuietusError } = require('./lib/errors.js');
const { Batch, Scope } = require('./lib/scope.js');
const { Vault, newKeyFile, verifyCertificate } = require('./lib/vault.js');

const version = native.version;

module.exports = { Batch, QuietusError, Scope, Vault, newKeyFile, verifyCertificate, version };
