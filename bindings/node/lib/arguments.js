'use strict';
// Arguments, on their way in. A wrong type is a TypeError; a value that the library could not be told is
// an error of its own kind.

const { fileURLToPath } = require('node:url');
const { isAnyArrayBuffer } = require('node:util').types;
const { invalid, wrongType } = require('./errors.js');

function text(value, what) {
  if (typeof value !== 'string') throw wrongType(what, 'a string', value);
  if (/\p{Surrogate}/u.test(value)) throw invalid(`${what} is no Unicode text`);
  if (value.includes('\0')) throw invalid(`${what} has a NUL in it`);
  return value;
}

// null: not given.
function optionalText(value, what) {
  return value === undefined || value === null ? null : text(value, what);
}

function file(value, what) {
  if (typeof value !== 'string' && !(value instanceof URL))
    throw wrongType(what, 'a string or a file: URL', value);
  return text(value instanceof URL ? fileURLToPath(value) : value, what);
}

function optionalFile(value, what) {
  return value === undefined || value === null ? null : file(value, what);
}

// One text, or several. Of one too: a string is not taken for a list of letters.
function texts(value, what) {
  if (typeof value === 'string') return [text(value, what)];
  if (typeof value?.[Symbol.iterator] !== 'function' || ArrayBuffer.isView(value))
    throw wrongType(what, 'a string or an iterable of strings', value);
  return Array.from(value, (each) => text(each, what));
}

// A Uint8Array of whatever has bytes. Text has none: who means UTF-8 says so, with Buffer.from().
function bytes(value, what) {
  const view = ArrayBuffer.isView(value);
  if (!view && !isAnyArrayBuffer(value))
    throw wrongType(what, 'a Buffer, TypedArray, DataView or ArrayBuffer', value);
  let all;
  try {
    all = new Uint8Array(view ? value.buffer : value);
  } catch {  // it looks empty, which is not what was meant
    throw invalid(`${what} is gone: its ArrayBuffer was detached`);
  }
  if (value instanceof Uint8Array) return value;
  return view ? all.subarray(value.byteOffset, value.byteOffset + value.byteLength) : all;
}

function version(value, what) {
  if (value === undefined || value === null) return null;
  const given = bytes(value, what);
  if (given.length !== 24) throw invalid(`${what} must have 24 bytes`);
  return given;
}

function flag(value, what) {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw wrongType(what, 'true or false', value);
  return value;
}

// 0: not given.
function number(value, least, most, what) {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number') throw wrongType(what, 'a number', value);
  if (!Number.isInteger(value) || value < least || value > most)
    throw invalid(`${what} must be a whole number, ${least} to ${most}`);
  return value;
}

// As Unix milliseconds.
function date(value, what) {
  if (!(value instanceof Date)) throw wrongType(what, 'a Date', value);
  const time = value.getTime();
  if (Number.isNaN(time)) throw invalid(`${what} is no valid Date`);
  if (time === 0) throw invalid(`${what} must not be 1970 itself, which means "never" to the library`);
  return time;
}

function optionalDate(value, what) {
  return value === undefined || value === null ? 0 : date(value, what);
}

function optionalFunction(value, what) {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'function') throw wrongType(what, 'a function', value);
  return value;
}

// An option that is spelled wrong must not be one that is not given; and what somebody put into
// Object.prototype is no option. Of another prototype neither, but it was meant: left out, dryRun would
// make a sweep a real one.
function options(value, known) {
  const own = Object.create(null);
  if (value === undefined || value === null) return own;
  if (typeof value !== 'object') throw wrongType('the options', 'an object', value);
  for (const name of Reflect.ownKeys(value)) {
    if (typeof name === 'symbol') continue;
    if (!known.includes(name)) throw new TypeError(`there is no option ${name}; there are ${known.join(', ')}`);
    own[name] = value[name];
  }
  for (let from = Object.getPrototypeOf(value); from && from !== Object.prototype; from = Object.getPrototypeOf(from))
    for (const name of known)
      if (Object.hasOwn(from, name) && !(name in own))
        throw new TypeError(`the option ${name} must be the object's own, not its prototype's`);
  return own;
}

module.exports = {
  bytes, date, file, flag, number, optionalDate, optionalFile, optionalFunction, optionalText, options, text,
  texts, version,
};
