// What the page tests stand on: a vault with real erasures, a browser without a network, and an
// issuer of our own that signs what no vault would.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, createHash, sign } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--no-first-run',
];
const SKIPPED = 77;

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(SKIPPED);
}

async function load(name) {
  try {
    return await import(name);
  } catch {
    return skip(`npm's ${name} is not installed here; ./dev test does it`);
  }
}

if (!existsSync(CHROMIUM)) skip(`no ${CHROMIUM}; the Debian package is chromium`);
const { chromium } = await load('playwright-core');
const axe = await load('axe-core');

// ---- the tool ---------------------------------------------------------------------------------

export const tool = path.resolve(process.env.QUIETUS);
export const folder = mkdtempSync(path.join(tmpdir(), 'quietus-page-'));
export const inside = (name) => path.join(folder, name);

export function environment(vault) {
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('QUIETUS_'));
  return {
    ...Object.fromEntries(clean),
    LC_ALL: 'C',
    XDG_STATE_HOME: inside('state'),
    QUIETUS_VAULT: inside(vault),
    QUIETUS_KEY_FILE: inside(`${vault}.key`),
  };
}

export function run(vault, ...words) {
  return spawnSync(tool, words, {
    cwd: folder,
    env: environment(vault),
    input: 'content',
    encoding: 'utf8',
    timeout: 120000,
  });
}

export function must(vault, ...words) {
  const done = run(vault, ...words);
  if (done.status !== 0)
    throw new Error(`quietus ${words.join(' ')}: exit ${done.status}\n${done.stderr}`);
  return done.stdout;
}

// A new vault; the PEM of its issuer.
export function makeVault(name) {
  must(name, 'init', name, '--root', `file:${inside('roots')}`, '--accept-unknown-medium');
  const pem = must(name, 'cert', 'key');
  writeFileSync(inside(`${name}.pem`), pem);
  return pem;
}

// The certificate of an erasure, as a file and its text.
export function erase(vault, file, ...scopes) {
  must(vault, 'erase', ...scopes, '--reason', 'contract-ended', '--yes', '--now', '--certificate', file);
  return readFileSync(inside(file), 'utf8');
}

// The page of a certificate; with `key`, the name of a PEM file that it brings along.
export function render(certificate, output, key) {
  const file = `${output}.json`;
  writeFileSync(inside(file), certificate);
  must('none', 'cert', 'render', file, '-o', output, ...(key ? ['--key', key] : []));
  return readFileSync(inside(output), 'utf8');
}

// ---- an issuer of our own ---------------------------------------------------------------------

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const x = publicKey.export({ format: 'jwk' }).x;
export const ourPem = publicKey.export({ format: 'pem', type: 'spki' });
export const ourPrivatePem = privateKey.export({ format: 'pem', type: 'pkcs8' });
export const ourKid = createHash('sha256')
  .update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)
  .digest('base64url');

export const payloadOf = (certificate) =>
  JSON.parse(Buffer.from(JSON.parse(certificate).payload, 'base64url').toString());

export const ascii = (json) =>
  json.replace(/[^\x00-\x7e]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

// A certificate with that payload, signed by our own key.
export function signed(
  payload,
  text = ascii(JSON.stringify({ ...payload, issuer: { ...payload.issuer, kid: ourKid } })),
) {
  const header = Buffer.from(
    JSON.stringify({ alg: 'EdDSA', kid: ourKid, typ: 'quietus-erasure-cert+jws' }),
  ).toString('base64url');
  const body = Buffer.from(text).toString('base64url');
  const signature = sign(null, Buffer.from(`${header}.${body}`), privateKey).toString('base64url');
  return `{"payload":"${body}","protected":"${header}","signature":"${signature}"}\n`;
}

// ---- the browser ------------------------------------------------------------------------------

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

// Making a context takes a second, so pages of one kind share one.
const contexts = new Map();
const opened = [];
async function contextFor(options) {
  const kind = JSON.stringify(options);
  if (!contexts.has(kind)) contexts.set(kind, await browser.newContext(options));
  return contexts.get(kind);
}

// A page as the browser shows it, without a network. `requests` is what it asked for beyond itself.
export async function open(html, { width = 1100, ...options } = {}) {
  const file = inside(`shown-${(open.count = (open.count ?? 0) + 1)}.html`);
  writeFileSync(file, html);
  const context = await contextFor({ viewport: { width, height: 900 }, offline: true, ...options });
  const page = await context.newPage();
  opened.push(page);
  const url = pathToFileURL(file).href;
  page.requests = [];
  page.complaints = [];
  page.on('request', (request) => {
    if (request.url() !== url) page.requests.push(request.url());
  });
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('console', (message) => page.complaints.push(message.text()));
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await settled(page);
  return page;
}

export async function closePages() {
  for (const page of opened.splice(0)) await page.close();
}

export const verdictOf = (page) => page.getAttribute('#verdict', 'data-verdict');
export const reasonOf = (page) => page.textContent('#verdict p');

async function settled(page) {
  await page.waitForFunction(
    () => document.querySelector('#verdict')?.dataset.verdict !== 'checking',
  );
}

export async function give(page, pem) {
  await page.fill('#pem', pem);
  await page.click('#check-key');
  await settled(page);
}

// Complaints of the accessibility checker, one line each.
export async function accessibility(page) {
  await page.evaluate(axe.default.source);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

// What the printed page is: [number of pages, width and height of the first in points].
export async function printed(page) {
  const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
  const [, width, height] = /\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/.exec(pdf);
  return {
    pages: (pdf.match(/\/Type\s*\/Page\b/g) ?? []).length,
    size: `${Math.round(width)} x ${Math.round(height)}`,
  };
}

// ---- what most tests begin with ---------------------------------------------------------------

// A vault with an issuer, another one, and the certificate of an erasure as pages.
export function makeSample() {
  const issuer = makeVault('vault');
  const other = makeVault('other');
  must('vault', 'tenant', 'create', 'acme');
  must('vault', 'scope', 'create', 'acme/data');
  must('vault', 'put', 'acme/data', 'record', '-');
  must('vault', 'export', 'acme/data', '-o', 'copy.ndjson');
  const certificate = erase('vault', 'certificate.json', 'acme');
  const withKey = render(certificate, 'with-key.html', 'vault.pem');
  const withoutKey = render(certificate, 'without-key.html');
  return { issuer, other, certificate, payload: payloadOf(certificate), withKey, withoutKey };
}

// A page with one letter of that part of its certificate changed.
export function flipped(html, member) {
  const start = html.indexOf('{"payload":"');
  const at = html.indexOf(`"${member}":"`, start) + member.length + 4 + 40;
  return html.slice(0, at) + (html[at] === 'A' ? 'B' : 'A') + html.slice(at + 1);
}

export const contentOf = (page) => page.textContent('#content');

// A certificate of our own issuer, as the page shows it once its reader gave that issuer's key.
export async function judged(certificate) {
  const page = await open(render(certificate, 'judged.html'));
  await give(page, ourPem);
  return page;
}

// The page is red for that reason, and shows nothing of the certificate.
export async function rejected(page, reason) {
  assert.equal(await verdictOf(page), 'broken');
  assert.match(await reasonOf(page), reason);
  assert.equal((await contentOf(page)).trim(), '', 'content of a certificate that does not hold');
  assert.equal(await page.locator('#unverified').count(), 0);
  assert.match(await page.textContent('#checks .failed'), reason);
}

export async function close() {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
