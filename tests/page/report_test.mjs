// The report for a periodic review, in a real browser. usage: QUIETUS=TOOL node report_test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import * as bench from './bench.mjs';

const certificates = [];

before(() => {
  bench.makeVault('vault');
  for (const name of ['one', 'two', 'three']) bench.must('vault', 'tenant', 'create', name);
  bench.must('vault', 'put', 'three', 'record', '-');
  bench.must('vault', 'export', 'three', '-o', 'copy.ndjson');
  for (const name of ['one', 'two'])
    certificates.push(bench.payloadOf(bench.erase('vault', `${name}.json`, name)));
});
afterEach(bench.closePages);
after(bench.close);

function report(...options) {
  const numbers = JSON.parse(
    bench.must('vault', '--json', 'audit', 'report', '-o', 'report.html', ...options),
  );
  return { numbers, html: readFileSync(bench.inside('report.html'), 'utf8') };
}

const show = (html, options) => bench.open(html, { javaScriptEnabled: false, ...options });

test('tells the erasures of the period, with their certificates', async () => {
  const { numbers, html } = report();
  const status = certificates.map((certificate) => certificate.status);
  assert.equal(numbers.erasures, 2);
  assert.equal(numbers.complete, status.filter((text) => text === 'complete').length);
  assert.deepEqual([numbers.not_valid, numbers.pending, numbers.exports], [0, 0, 1]);
  const page = await show(html);
  for (const { certificate_id: id, status: word } of certificates)
    assert.match(
      await page.textContent(`tr:has-text("${id}")`),
      new RegExp(`contract-ended.*${word}, final`),
    );
  assert.match(
    await page.textContent('#pending + p'),
    /every erasure that was begun has been finished/,
  );
  assert.match(await page.textContent('section:has(#exports)'), /7 B/);
  assert.match(await page.textContent('section:has(#events)'), /slot-destroyed2/);
  assert.deepEqual(page.requests, []);
  assert.equal(html.includes('<script'), false);
});

test('leaves out what lies outside the period', async () => {
  const { numbers } = report('--from', '2020-01-01', '--to', '2020-03-31');
  assert.deepEqual([numbers.erasures, numbers.exports], [0, 0]);
  const today = certificates[0].issued_at.slice(0, 10);
  const last = certificates[1].issued_at.slice(0, 10);
  assert.equal(report('--from', today, '--to', last).numbers.erasures, 2);
});

test('refuses days that are none', () => {
  for (const days of [
    ['--from', '2026-02-30'],
    ['--to', 'today'],
    ['--from', '2026-02-01', '--to', '2026-01-01'],
    ['--from', '2026-1-1'],
    ['--to', '2026-01-0x'],
  ]) {
    const done = bench.run('vault', 'audit', 'report', '-o', 'no.html', ...days);
    assert.equal(done.status, 2, days.join(' '));
    assert.throws(() => readFileSync(bench.inside('no.html')));
  }
});

test('is for everybody, and prints', async () => {
  const { html } = report();
  for (const width of [1100, 390]) {
    // The checker is a script; the page's own policy does not bind who controls the browser.
    const page = await bench.open(html, { width });
    assert.deepEqual(await bench.accessibility(page), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  }
  const { pages, size } = await bench.printed(await show(html));
  assert.equal(size, '595 x 842');
  assert.ok(pages <= 2, `${pages} pages`);
});

test('names an erasure that is not finished', async (t) => {
  bench.must('vault', 'tenant', 'create', 'four');
  // A process that holds keys and does not answer.
  const holder = spawn(bench.tool, ['put', 'three', 'slow', '-'], {
    cwd: bench.folder,
    env: bench.environment('vault'),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  t.after(() => {
    holder.kill('SIGCONT');
    holder.kill('SIGKILL');
  });
  holder.stdin.write(Buffer.alloc(1 << 20));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  holder.kill('SIGSTOP');
  const erased = bench.run('vault', 'erase', 'four', '--reason', 'test', '--yes', '--now');
  assert.equal(erased.status, 9, erased.stderr);
  const { numbers, html } = report();
  assert.equal(numbers.pending, 1);
  const page = await show(html);
  assert.match(await page.textContent('section:has(#pending) table'), /slot-destroyed/);
});
