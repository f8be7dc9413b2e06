// The page of a certificate in a real browser, offline: what it says of a good one, of every kind of
// bad one, and of one that wants to run as a program. usage: QUIETUS=TOOL node page_test.mjs
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import * as bench from './bench.mjs';

const A4 = '595 x 842';
let issuer, other, certificate, payload, withKey, withoutKey;

before(() => {
  issuer = bench.makeVault('vault');
  other = bench.makeVault('other');
  bench.must('vault', 'tenant', 'create', 'acme');
  bench.must('vault', 'scope', 'create', 'acme/data');
  bench.must('vault', 'put', 'acme/data', 'record', '-');
  bench.must('vault', 'export', 'acme/data', '-o', 'copy.ndjson');
  certificate = bench.erase('vault', 'certificate.json', 'acme');
  payload = bench.payloadOf(certificate);
  withKey = bench.render(certificate, 'with-key.html', 'vault.pem');
  withoutKey = bench.render(certificate, 'without-key.html');
});
afterEach(bench.closePages);
after(bench.close);

const content = (page) => page.textContent('#content');

// A certificate of our own issuer, as the page shows it once its reader gave that issuer's key.
async function judged(text) {
  const page = await bench.open(bench.render(text, 'judged.html'));
  await bench.give(page, bench.ourPem);
  return page;
}

async function rejected(page, reason) {
  assert.equal(await bench.verdictOf(page), 'broken');
  assert.match(await bench.reasonOf(page), reason);
  assert.equal((await content(page)).trim(), '', 'content of a certificate that does not hold');
  assert.equal(await page.locator('#unverified').count(), 0);
  assert.match(await page.textContent('#checks .failed'), reason);
}

describe('a good certificate', () => {
  test('with a key inside is intact, and its issuer left open', async () => {
    const page = await bench.open(withKey);
    assert.equal(await bench.verdictOf(page), 'intact');
    assert.match(await bench.reasonOf(page), /Whether the key .* is the issuer’s you must compare/);
    assert.ok((await bench.reasonOf(page)).includes(payload.issuer.kid));
    const shown = await content(page);
    for (const text of ['Destroyed for good', payload.certificate_id, payload.targets[0].scope_id,
      'The agreement under which', 'Not recorded', 'Root slot destroyed', '1 record, 7 bytes',
      ...payload.claims, ...payload.exclusions])
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
    assert.equal((await content(page)).trim(), '');
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
    await rejected(page, /not signed with this key.*certificate names/);
    await bench.give(page, issuer);
    assert.equal(await bench.verdictOf(page), 'confirmed');
  });

  test('that are none change nothing', async () => {
    const page = await bench.open(withKey);
    for (const [text, complaint] of [['', /not a public key/], ['hello', /not a public key/],
      [bench.ourPrivatePem, /private key/], [issuer.replace('MCow', 'MCox'), /not an Ed25519 key/],
      [issuer.replace('MCow', 'MCo'), /not readable/]]) {
      await page.fill('#pem', text);
      await page.click('#check-key');
      assert.match(await page.textContent('#pem-error'), complaint);
      assert.equal(await page.getAttribute('#pem', 'aria-invalid'), 'true');
      assert.equal(await bench.verdictOf(page), 'intact');
    }
  });
});

// ---- tampering with the page's file -----------------------------------------------------------

function flipped(html, member) {
  const start = html.indexOf('{"payload":"');
  const at = html.indexOf(`"${member}":"`, start) + member.length + 4 + 40;
  return html.slice(0, at) + (html[at] === 'A' ? 'B' : 'A') + html.slice(at + 1);
}

describe('a page that was touched', () => {
  for (const [member, reason] of [['payload', /signature does not fit/],
    ['signature', /signature does not fit/], ['protected', /header|not signed with this key/]])
    test(`in the ${member} turns red`, async () => rejected(await bench.open(flipped(withKey, member)), reason));

  test('in the form of the certificate turns red', async () =>
    rejected(await bench.open(withKey.replace('{"payload":"', '{ "payload":"')), /form of one/));

  test('in its key turns red', async () => {
    const html = withKey.replace(issuer.trim(), other.trim());
    assert.notEqual(html, withKey);
    await rejected(await bench.open(html), /not signed with this key/);
  });

  test('in its script or style does not run it', async () => {
    const script = await bench.open(withKey.replace('"use strict";', '"use strict"; window.ran = true;'));
    assert.equal(await bench.verdictOf(script), 'unchecked');
    assert.equal(await script.evaluate(() => window.ran), undefined);
    const style = await bench.open(withKey.replace('<style>', '<style>body { color: red }'));
    assert.notEqual(await style.evaluate(() => getComputedStyle(document.body).color), 'rgb(255, 0, 0)');
  });

  test('so that it asks for something outside is not answered', async (t) => {
    const asked = [];
    const server = createServer((request, response) => { asked.push(request.url); response.end(); });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    t.after(() => server.close());
    const place = `http://127.0.0.1:${server.address().port}`;
    const wanting = `<img src="${place}/a"><iframe src="${place}/b"></iframe><script src="${place}/c"></script><footer>`;
    const page = await bench.open(withKey.replace('<footer>', wanting), { offline: false });
    await page.evaluate((url) => fetch(url).catch(() => null), `${place}/d`);
    assert.match(page.complaints.join(), /Content Security Policy/);
    assert.deepEqual(asked, []);
    // Without the policy it is answered, so the server would have told.
    await (await bench.open(withKey.replace('<footer>', wanting).replace(/<meta http-equiv.*/, ''),
      { offline: false })).waitForLoadState('load');
    assert.ok(asked.length >= 3, asked.join());
  });
});

// ---- an issuer that signs what is not so ------------------------------------------------------

const copy = () => structuredClone(payload);
const proofOf = (it, kind) => it.log.proofs.find((proof) => proof.kind === kind);
const otherLetter = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

function changedEntry(it, kind, member, value) {
  const proof = proofOf(it, kind);
  const entry = JSON.parse(Buffer.from(proof.entry, 'base64').toString());
  proof.entry = Buffer.from(JSON.stringify({ ...entry, [member]: value })).toString('base64');
}

const LIES = {
  'a changed hash of a proof': [(it) => {
    const proof = proofOf(it, 'slot-destroyed');
    const lines = proof.proof.split('\n');
    lines[2] = otherLetter(lines[2], 5);
    proof.proof = lines.join('\n');
  }, /“slot-destroyed” stands in the log does not lead/],
  'proofs that were swapped': [(it) => {
    const [a, b] = [proofOf(it, 'keys-unreachable'), proofOf(it, 'slot-destroyed')];
    [a.proof, b.proof] = [b.proof, a.proof];
  }, /“keys-unreachable” stands in the log does not lead/],
  'a proof that is too short': [(it) => {
    const proof = proofOf(it, 'key-created');
    const lines = proof.proof.split('\n');
    lines.splice(2, 1);
    proof.proof = lines.join('\n');
  }, /“key-created” stands in the log does not lead/],
  'an entry that the log does not have': [(it) =>
    changedEntry(it, 'slot-destroyed', 'acknowledged', 7), /“slot-destroyed” stands in the log does not lead/],
  'a changed signature of the checkpoint': [(it) => {
    for (const proof of it.log.proofs)
      proof.proof = otherLetter(proof.proof, proof.proof.lastIndexOf(' ') + 20);
  }, /signature of the log’s checkpoint does not fit/],
  'a changed checkpoint': [(it) => {
    for (const proof of it.log.proofs) {
      const [head, note] = proof.proof.split('\n\n', 2);
      const lines = note.split('\n');
      lines[2] = otherLetter(lines[2], 4);
      proof.proof = `${head}\n\n${lines.join('\n')}\n\n${proof.proof.split('\n\n')[2]}`;
    }
  }, /signature of the log’s checkpoint does not fit/],
  'proofs under different checkpoints': [(it) => {
    it.log.proofs[1].proof += it.log.proofs[1].proof.split('\n').at(-2) + '\n';
  }, /different checkpoints/],
  'another key of the log': [(it) => {
    it.log.vkey = bench.must('other', '--json', 'audit', 'checkpoint').match(/"verifier_key": "([^"]+)"/)[1];
  }, /not that of the vault’s log/],
  'a key of the log that does not fit its id': [(it) => {
    it.log.vkey = it.log.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+');
  }, /does not fit its own id/],
  'no proofs': [(it) => { it.log.proofs = []; }, /encloses no proofs/],
  'no proof that a key was made': [(it) => {
    it.log.proofs = it.log.proofs.filter((proof) => proof.kind !== 'key-created');
  }, /does not show the making of the key/],
  'no proof of the destroyed slot': [(it) => {
    it.log.proofs = it.log.proofs.filter((proof) => proof.kind !== 'slot-destroyed');
  }, /no proof that the root slot was destroyed/],
  'an entry under another label': [(it) => { proofOf(it, 'slot-destroyed').kind = 'export-made'; },
    /labelled as another kind/],
  'another key commitment': [(it) => { it.targets[0].keys[0].commitment = '00'.repeat(32); },
    /does not show the making of the key/],
  'a scope that it was not': [(it) => { it.targets[0].scope_id = '0123456789abcdef'; },
    /does not show the making of the key/],
  'another erasure': [(it) => { it.erasure_id = '00'.repeat(16); }, /another erasure/],
  'an earlier time': [(it) => { it.times.slot_destroyed = it.times.begun = '2020-01-01T00:00:00Z'; }, /other times/],
  'an issue before the erasure': [(it) => { it.issued_at = '2020-01-01T00:00:00Z'; }, /not in order/],
  'more holders': [(it) => { it.holders.acknowledged = 99; }, /other root slots or holders/],
  'complete, with a slot that was not seen destroyed': [(it) => { it.status = 'complete';
    it.root.slots_destroyed[0].read_back = false; }, /not everything was seen destroyed/],
  'complete, on a medium that is not known': [(it) => { it.status = 'complete'; it.root.assurance_known = false; },
    /not everything was seen destroyed/],
  'a status of its own': [(it) => { it.status = 'splendid'; }, /status is not one that exists/],
  'a later version': [(it) => { it.version = 999; }, /version 999, which this page cannot judge/],
  'another issuer inside': [(it) => it, /names another issuer/, (it) => JSON.stringify(it).replace(/[^\x00-\x7e]/g,
    (c) => '\\u' + c.charCodeAt(0).toString(16))],
  'members missing': [(it) => { delete it.holders; }, /missing or malformed/],
};

describe('an issuer of one’s own', () => {
  test('is believed what is so', async () => {
    const page = await judged(bench.signed(payload));
    assert.equal(await bench.verdictOf(page), 'confirmed');
  });

  for (const [lie, [change, reason, text]] of Object.entries(LIES))
    test(`is not believed ${lie}`, async () => {
      const changed = copy();
      change(changed);
      assert.ok(text || JSON.stringify(changed) !== JSON.stringify(payload));
      await rejected(await judged(bench.signed(changed, text?.(changed))), reason);
    });

  test('cannot have two readings of one text', () => {
    const twice = JSON.stringify(payload).replace('"version":1', '"version":1,"status":"partial"');
    writeFileSync(bench.inside('twice.json'), bench.signed(payload, twice));
    const done = bench.run('none', 'cert', 'render', 'twice.json', '-o', 'twice.html');
    assert.equal(done.status, 7, done.stderr);
  });
});

// ---- what is told -----------------------------------------------------------------------------

describe('the words', () => {
  test('never call partial complete', async () => {
    const partial = copy();
    partial.status = 'partial';
    partial.root.assurance_known = false;
    partial.root.slots_destroyed[0].read_back = false;
    const page = await judged(bench.signed(partial));
    assert.equal(await bench.verdictOf(page), 'confirmed');
    const shown = await page.textContent('.outcome');
    assert.match(shown, /Partly destroyed/);
    assert.match(shown, /perhaps a part of the old root slot/);
    assert.doesNotMatch(shown, /Destroyed for good|Of the keys: nothing/);
  });

  test('tell approvals, later dates and members that are not known', async () => {
    const grown = { ...copy(), phase: 'live', supersedes: 'ab'.repeat(16),
      approvals: [{ operator: 'alice', fingerprint: 'SHA256:abc' }, { operator: 'bob' }],
      copies: [{ kind: 'key_snapshot', clear_date: '2027-01-15T00:00:00Z' }, { kind: 'escrow', clear_date: '2027-03-01' }],
      counts: { records: 12 } };
    const page = await judged(bench.signed(grown));
    assert.equal(await bench.verdictOf(page), 'confirmed');
    const shown = await content(page);
    for (const text of ['copies of the keys still age out', '1 March 2027', 'operator: alice, fingerprint: SHA256:abc', 'operator: bob',
      'Until 15 January 2027, 00:00:00 UTC: key snapshot.', 'counts', 'records: 12', 'Replaces', 'ab'.repeat(16)])
      assert.ok(shown.includes(text), text);
    assert.doesNotMatch(shown, /Destroyed for good/);
    const picture = await page.textContent('svg.always desc');
    assert.match(picture, /Erasure begun.*Keys unreachable.*Root slot destroyed.*Certificate issued.*Clear: key snapshot: 15 January 2027.*\(to come\)/);
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

// ---- hostile certificates ---------------------------------------------------------------------

describe('a hostile certificate', () => {
  const markup = '</script></pre><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">&lt;{{script}}';

  test('is text and nothing else', async () => {
    const hostile = { ...copy(), reason: markup, claims: [markup, '\u202egnp.exe'],
      [markup]: { [markup]: [markup] }, approvals: markup };
    const html = bench.render(bench.signed(hostile), 'hostile.html');
    assert.equal(html.match(/<script/g).length, 1);
    assert.equal(html.match(/<img/g), null);
    for (const javaScriptEnabled of [false, true]) {
      const page = await bench.open(html, { javaScriptEnabled });
      if (javaScriptEnabled) await bench.give(page, bench.ourPem);
      assert.equal(await page.locator('img').count(), 0);
      assert.equal(await page.locator('script').count(), 1);
      const shown = await page.textContent(javaScriptEnabled ? '#content' : '#unverified');
      assert.ok(shown.includes(markup));
      assert.ok(!shown.includes('\u202e'), 'turns the direction of writing');
      if (javaScriptEnabled) assert.equal(await page.evaluate(() => window.hacked), undefined);
      assert.deepEqual(page.requests, []);
    }
  });

  test('that is none is refused, and leaves no page', () => {
    const [head, ...rest] = certificate.split('.');
    for (const [text, why] of [['', /not an erasure certificate/], ['<html></html>', /not an erasure certificate/],
      [markup, /not an erasure certificate/], [certificate.replace('{', '{"x":"</pre><script>",'), /canonical form/],
      [certificate.replace('"payload":"', '"payload":"</pre>'), /base64url/], [head + rest.join(' ') + '<script>', /canonical form/],
      [bench.signed(payload, JSON.stringify({ type: 'another', certificate_id: payload.certificate_id })), /another type/],
      [bench.signed(payload, '[]'), /another type/], [bench.signed(payload, '[['.repeat(40)), /payload/]]) {
      writeFileSync(bench.inside('none.json'), text);
      const done = bench.run('none', 'cert', 'render', 'none.json', '-o', 'none.html');
      assert.equal(done.status, 7, `${text.slice(0, 60)}: ${done.stderr}`);
      assert.match(done.stderr, why);
      assert.throws(() => readFileSync(bench.inside('none.html')));
    }
  });
});

// ---- for everybody ----------------------------------------------------------------------------

describe('the page is for everybody', () => {
  test('no complaint of the accessibility checker', async () => {
    const broken = flipped(withKey, 'signature');
    const unchecked = withKey.replace('"use strict";', '');
    for (const [name, html] of Object.entries({ withKey, withoutKey, broken, unchecked }))
      for (const width of [1100, 390]) {
        const page = await bench.open(html, { width });
        await page.evaluate(() => document.querySelectorAll('details').forEach((part) => { part.open = true; }));
        assert.deepEqual(await bench.accessibility(page), [], `${name}, ${width} wide`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
          `${name} is wider than ${width}`);
      }
    const page = await bench.open(withKey);
    await bench.give(page, 'no key');
    assert.deepEqual(await bench.accessibility(page), [], 'with a complaint');
    await bench.give(page, issuer);
    assert.deepEqual(await bench.accessibility(page), [], 'confirmed');
  });

  test('and the checker would complain', async () => {
    const page = await bench.open(withKey.replace('<html lang="en">', '<html>').replace('<label for="pem">', '<label>'));
    assert.ok((await bench.accessibility(page)).length >= 1);
  });

  test('the keyboard reaches everything', async () => {
    const page = await bench.open(withKey);
    const wanted = await page.evaluate(() => {
      const parts = [...document.querySelectorAll('a[href], button, textarea, input, summary')];
      parts.forEach((part, i) => { part.dataset.place = i; });
      return parts.length;
    });
    const reached = new Set();
    for (let i = 0; i < wanted + 5; ++i) {
      await page.keyboard.press('Tab');
      const place = await page.evaluate(() => document.activeElement.dataset.place);
      if (place === undefined) continue;
      reached.add(place);
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
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
    const large = bench.render(bench.erase('vault', 'large.json', ...scopes), 'large.html', 'vault.pem');
    const options = [[withKey, true], [withKey, false], [withoutKey, true], [large, true]];
    for (const [html, javaScriptEnabled] of options) {
      const page = await bench.open(html, { javaScriptEnabled });
      const { pages, size } = await bench.printed(page);
      assert.equal(size, A4);
      assert.ok(pages >= 1 && pages <= 2, `${pages} pages`);
    }
    const page = await bench.open(large);
    assert.equal(await bench.verdictOf(page), 'intact');
    assert.match(await content(page), /40 scopes with 80 keys.*and 36 more scopes/s);
  });
});
