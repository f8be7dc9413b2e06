// The page of a certificate in a real browser, offline: what it says of a good one, and to everybody.
// usage: QUIETUS=TOOL node page_test.mjs
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import * as bench from './bench.mjs';

const A4 = '595 x 842';
let issuer, other, certificate, payload, withKey, withoutKey;

before(() => {
  ({ issuer, other, certificate, payload, withKey, withoutKey } = bench.makeSample());
});
afterEach(bench.closePages);
after(bench.close);

describe('a good certificate', () => {
  test('with a key inside is intact, and its issuer left open', async () => {
    const page = await bench.open(withKey);
    assert.equal(await bench.verdictOf(page), 'intact');
    assert.match(await bench.reasonOf(page), /Whether the key .* is the issuer’s you must compare/);
    assert.ok((await bench.reasonOf(page)).includes(payload.issuer.kid));
    const shown = await bench.contentOf(page);
    for (const text of [
      'Destroyed for good',
      payload.certificate_id,
      payload.targets[0].scope_id,
      'The agreement under which',
      'One person',
      'Root slot destroyed',
      '1 record, 7 bytes',
      ...payload.claims,
      ...payload.exclusions,
    ])
      assert.ok(shown.includes(text), text);
    assert.deepEqual(page.requests, []);
    assert.deepEqual(page.complaints, []);
  });

  test('is confirmed by the key that its reader pastes', async () => {
    for (const html of [withKey, withoutKey]) {
      const page = await bench.open(html);
      await bench.give(page, `\n${issuer}\n`);
      assert.equal(await bench.verdictOf(page), 'confirmed');
      assert.match(await page.textContent('#verdict'), /signed by the key that you gave/);
      assert.equal(await page.locator('#checks .passed').count(), 4);
      assert.equal(await page.evaluate(() => document.activeElement.id), 'verdict');
      assert.deepEqual([page.requests, page.complaints], [[], []]);
    }
  });

  test('is confirmed by the key file that its reader chooses', async () => {
    const page = await bench.open(withoutKey);
    await page.setInputFiles('#pem-file', bench.inside('vault.pem'));
    await page.waitForSelector('[data-verdict="confirmed"]');
    assert.deepEqual(page.requests, []);
  });

  test('without a key inside is not checked, and says so', async () => {
    const page = await bench.open(withoutKey);
    assert.equal(await bench.verdictOf(page), 'missing');
    assert.ok((await bench.reasonOf(page)).includes(payload.issuer.kid));
    assert.equal((await bench.contentOf(page)).trim(), '');
    assert.match(await page.textContent('#unverified'), /^\s*Unverified/);
  });

  test('can be taken out of the page as it was', async () => {
    assert.equal(/<pre id="certificate"[^>]*>(.*?)<\/pre>/s.exec(withKey)[1], certificate);
    const page = await bench.open(withKey);
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
    assert.equal(download.suggestedFilename(), `${payload.certificate_id}.erasure.jws.json`);
    await download.saveAs(bench.inside('saved.json'));
    assert.equal(readFileSync(bench.inside('saved.json'), 'utf8'), certificate);
    bench.must('none', 'cert', 'verify', 'saved.json', '--key', 'vault.pem');
  });
});

describe('keys', () => {
  test('of somebody else are told from the issuer’s', async () => {
    const page = await bench.open(withKey);
    await bench.give(page, other);
    await bench.rejected(page, /not signed with this key.*certificate names/);
    await bench.give(page, issuer);
    assert.equal(await bench.verdictOf(page), 'confirmed');
  });

  test('that are none change nothing', async () => {
    const page = await bench.open(withKey);
    for (const [text, complaint] of [
      ['', /not a public key/],
      ['hello', /not a public key/],
      [bench.ourPrivatePem, /private key/],
      [issuer.replace('MCow', 'MCox'), /not an Ed25519 key/],
      [issuer.replace('MCow', 'MCo'), /not readable/],
    ]) {
      await page.fill('#pem', text);
      await page.click('#check-key');
      assert.match(await page.textContent('#pem-error'), complaint);
      assert.equal(await page.getAttribute('#pem', 'aria-invalid'), 'true');
      assert.equal(await bench.verdictOf(page), 'intact');
    }
  });
});

// ---- what is told -----------------------------------------------------------------------------

describe('the words', () => {
  test('never call partial complete', async () => {
    const partial = structuredClone(payload);
    partial.status = 'partial';
    partial.root.assurance_known = false;
    partial.root.slots_destroyed[0].read_back = false;
    const page = await bench.judged(bench.signed(partial));
    assert.equal(await bench.verdictOf(page), 'confirmed');
    const shown = await page.textContent('.outcome');
    assert.match(shown, /Partly destroyed/);
    assert.match(shown, /perhaps a part of the old root slot/);
    assert.doesNotMatch(shown, /Destroyed for good|Of the keys: nothing/);
  });

  test('tell of other instances that may hold the keys', async () => {
    const partial = structuredClone(payload);
    partial.status = 'partial';
    partial.root.assurance_known = true;
    for (const slot of partial.root.slots_destroyed)
      Object.assign(slot, { overwritten: true, read_back: true, gone: true });
    partial.instances = [
      { instance_id: '0a'.repeat(16), copied: '2026-03-01T12:30:05Z', receipt: '' },
      { instance_id: '0b'.repeat(16), copied: '2026-04-01T12:30:05Z', receipt: '' },
    ];
    const page = await bench.judged(bench.signed(partial));
    assert.equal(await bench.verdictOf(page), 'confirmed');
    const shown = await bench.contentOf(page);
    for (const text of [
      'Partly destroyed',
      'other instances of the vault may still hold them',
      `${'0a'.repeat(16)}, copied on 1 March 2026, 12:30:05 UTC. It may still hold them.`,
      `${'0b'.repeat(16)}, copied on 1 April 2026, 12:30:05 UTC. It may still hold them.`,
    ])
      assert.ok(shown.includes(text), text);
    assert.doesNotMatch(shown, /Destroyed for good|Of the keys: nothing|old root slot is left/);
    partial.instances = [];
    partial.instances_known = false;
    const unknown = await bench.judged(bench.signed(partial));
    assert.match(await bench.contentOf(unknown), /instances of the vault that are not known/);
    assert.deepEqual(await bench.accessibility(unknown), []);
  });

  test('tell what the recovery site knows', async () => {
    const told = (inbox) =>
      Object.fromEntries(
        Object.entries(payload).flatMap(([name, value]) =>
          name === 'copies' ? [['site_inbox', inbox], [name, value]] : [[name, value]],
        ),
      );
    for (const [inbox, text] of [
      ['delivered', 'The recovery site was told'],
      ['not-yet', 'The recovery site was not told yet'],
    ]) {
      const page = await bench.judged(bench.signed(told(inbox)));
      assert.equal(await bench.verdictOf(page), 'confirmed');
      assert.ok((await bench.contentOf(page)).includes(text), text);
    }
    const page = await bench.judged(bench.signed(payload));
    assert.ok(!(await bench.contentOf(page)).includes('The recovery site'));
  });

  test('tell of the receipts of other instances, and of snapshots that are gone', async () => {
    const receipted = structuredClone(payload);
    receipted.status = 'complete';
    receipted.root.assurance_known = true;
    for (const slot of receipted.root.slots_destroyed)
      Object.assign(slot, { overwritten: true, read_back: true, gone: true });
    receipted.instances = [
      { instance_id: '0a'.repeat(16), copied: '2026-03-01T12:30:05Z', receipt: 'ab'.repeat(16) },
    ];
    receipted.key_snapshots = [
      { epoch_id: 'cd'.repeat(16), clear_date: receipted.times.slot_destroyed, attested: true },
    ];
    const page = await bench.judged(bench.signed(receipted));
    assert.equal(await bench.verdictOf(page), 'confirmed');
    const shown = await bench.contentOf(page);
    for (const text of [
      'Destroyed for good',
      'Other instances of the vault destroyed them too',
      `the keys too, as its certificate ${'ab'.repeat(16)} states.`,
      'the recovery site attested that they are destroyed',
    ])
      assert.ok(shown.includes(text), text);
    assert.doesNotMatch(shown, /may still hold|Until .*key snapshot/);
    assert.deepEqual(await bench.accessibility(page), []);
  });

  test('tell approvals, later dates and members that are not known', async () => {
    const grown = {
      ...structuredClone(payload),
      status: 'pending-snapshots',
      phase: 'live',
      supersedes: ['ab'.repeat(16)],
      decided_by: 'approval',
      request: {
        request_id: '12'.repeat(16),
        kind: 'deletion',
        plan_sha256: '34'.repeat(32),
        approvals: ['56', '78'].map((id) => ({
          operator_id: id.repeat(16),
          key_sha256: '9a'.repeat(32),
          time: '2026-11-01T00:00:00Z',
          touched: true,
          verified: false,
        })),
      },
      key_snapshots: [
        { epoch_id: 'cd'.repeat(16), clear_date: '2027-01-15T00:00:00Z', attested: false },
      ],
      kept_elsewhere: [{ kind: 'escrow', until: '2027-03-01' }],
      counts: { records: 12 },
    };
    const page = await bench.judged(bench.signed(grown));
    assert.equal(await bench.verdictOf(page), 'confirmed');
    const shown = await bench.contentOf(page);
    for (const text of [
      'copies of the keys still age out',
      '1 March 2027',
      `2 signatures under the plan of request ${'12'.repeat(16)}`,
      '56'.repeat(16),
      '78'.repeat(16),
      'Until 15 January 2027, 00:00:00 UTC: key snapshot.',
      'counts',
      'records: 12',
      'Replaces',
      'ab'.repeat(16),
    ])
      assert.ok(shown.includes(text), text);
    assert.doesNotMatch(shown, /Destroyed for good/);
    const picture = await page.textContent('svg.always desc');
    assert.match(
      picture,
      /Erasure begun.*Keys unreachable.*Root slot destroyed.*Certificate issued.*Clear: key snapshot: 15 January 2027.*\(to come\)/,
    );
    assert.deepEqual(await bench.accessibility(page), []);
  });

  test('without JavaScript are marked as unverified', async () => {
    const page = await bench.open(withKey, { javaScriptEnabled: false });
    assert.equal(await bench.verdictOf(page), 'unchecked');
    assert.match(await page.textContent('#verdict'), /Nothing on this page has been checked/);
    assert.match(await page.textContent('#unverified'), /Unverified: what the file says/);
    assert.ok((await page.textContent('#unverified')).includes(payload.certificate_id));
    assert.equal(await page.isVisible('#pem'), false);
    assert.equal(await page.isVisible('#unverified'), true);
  });
});

// ---- for everybody ----------------------------------------------------------------------------

describe('the page is for everybody', () => {
  test('no complaint of the accessibility checker', async () => {
    const broken = bench.flipped(withKey, 'signature');
    const unchecked = withKey.replace('"use strict";', '');
    for (const [name, html] of Object.entries({ withKey, withoutKey, broken, unchecked }))
      for (const width of [1100, 390]) {
        const page = await bench.open(html, { width });
        await page.evaluate(() =>
          document.querySelectorAll('details').forEach((part) => {
            part.open = true;
          }),
        );
        assert.deepEqual(await bench.accessibility(page), [], `${name}, ${width} wide`);
        assert.ok(
          await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
          `${name} is wider than ${width}`,
        );
      }
    const page = await bench.open(withKey);
    await bench.give(page, 'no key');
    assert.deepEqual(await bench.accessibility(page), [], 'with a complaint');
    await bench.give(page, issuer);
    assert.deepEqual(await bench.accessibility(page), [], 'confirmed');
  });

  test('and the checker would complain', async () => {
    const page = await bench.open(
      withKey.replace('<html lang="en">', '<html>').replace('<label for="pem">', '<label>'),
    );
    assert.ok((await bench.accessibility(page)).length >= 1);
  });

  test('the keyboard reaches everything', async () => {
    const page = await bench.open(withKey);
    const wanted = await page.evaluate(() => {
      const parts = [...document.querySelectorAll('a[href], button, textarea, input, summary')];
      parts.forEach((part, i) => {
        part.dataset.place = i;
      });
      return parts.length;
    });
    const reached = new Set();
    for (let i = 0; i < wanted + 5; ++i) {
      await page.keyboard.press('Tab');
      const place = await page.evaluate(() => document.activeElement.dataset.place);
      if (place === undefined) continue;
      reached.add(place);
      assert.notEqual(
        await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle),
        'none',
      );
    }
    assert.equal(reached.size, wanted);
    await page.focus('#pem');
    await page.keyboard.insertText(issuer);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-verdict="confirmed"]');
    await page.focus('#content summary');
    await page.keyboard.press('Enter');
    assert.equal(await page.isVisible('#content .tree'), true);
  });

  test('prints on at most two sheets of A4', async () => {
    bench.must('vault', 'tenant', 'create', 'large');
    const scopes = Array.from({ length: 40 }, (_, i) => `large/${i}`);
    for (const scope of scopes) bench.must('vault', 'scope', 'create', scope);
    const large = bench.render(
      bench.erase('vault', 'large.json', ...scopes),
      'large.html',
      'vault.pem',
    );
    const options = [
      [withKey, true],
      [withKey, false],
      [withoutKey, true],
      [large, true],
    ];
    for (const [html, javaScriptEnabled] of options) {
      const page = await bench.open(html, { javaScriptEnabled });
      const { pages, size } = await bench.printed(page);
      assert.equal(size, A4);
      assert.ok(pages >= 1 && pages <= 2, `${pages} pages`);
    }
    const snapshots = Array.from({ length: 14 }, (_, i) => ({
      epoch_id: String(i).padStart(32, '0'),
      clear_date: `2027-01-${10 + i}T00:00:00Z`,
      attested: false,
    }));
    const live = await bench.judged(
      bench.signed({
        ...payload,
        status: 'pending-snapshots',
        phase: 'live',
        key_snapshots: snapshots,
      }),
    );
    assert.equal((await bench.printed(live)).pages, 2);
    assert.equal(await live.locator('circle.due').count(), 2, 'the first and the last');
    const page = await bench.open(large);
    assert.equal(await bench.verdictOf(page), 'intact');
    assert.match(await bench.contentOf(page), /40 scopes with 80 keys.*and 36 more scopes/s);
  });
});
