// Certificates and pages that were tampered with, issuers that sign what is not so, and certificates
// that want to run as a program: the page says what does not hold, and shows nothing of it.
// usage: QUIETUS=TOOL node forgery_test.mjs
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import * as bench from './bench.mjs';

let issuer, other, certificate, payload, withKey;

before(() => {
  ({ issuer, other, certificate, payload, withKey } = bench.makeSample());
});
afterEach(bench.closePages);
after(bench.close);

// ---- tampering with the page's file -----------------------------------------------------------

describe('a page that was touched', () => {
  for (const [member, reason] of [
    ['payload', /signature does not fit/],
    ['signature', /signature does not fit/],
    ['protected', /header|not signed with this key/],
  ])
    test(`in the ${member} turns red`, async () =>
      bench.rejected(await bench.open(bench.flipped(withKey, member)), reason));

  test('in the form of the certificate turns red', async () =>
    bench.rejected(
      await bench.open(withKey.replace('{"payload":"', '{ "payload":"')),
      /form of one/,
    ));

  test('in its key turns red', async () => {
    const html = withKey.replace(issuer.trim(), other.trim());
    assert.notEqual(html, withKey);
    await bench.rejected(await bench.open(html), /not signed with this key/);
  });

  test('in its script or style does not run it', async () => {
    const script = await bench.open(
      withKey.replace('"use strict";', '"use strict"; window.ran = true;'),
    );
    assert.equal(await bench.verdictOf(script), 'unchecked');
    assert.equal(await script.evaluate(() => window.ran), undefined);
    const style = await bench.open(withKey.replace('<style>', '<style>body { color: red }'));
    assert.notEqual(
      await style.evaluate(() => getComputedStyle(document.body).color),
      'rgb(255, 0, 0)',
    );
  });

  test('so that it asks for something outside is not answered', async (t) => {
    const asked = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.end();
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    t.after(() => server.close());
    const place = `http://127.0.0.1:${server.address().port}`;
    const wanting = `<img src="${place}/a"><iframe src="${place}/b"></iframe><script src="${place}/c"></script><footer>`;
    const page = await bench.open(withKey.replace('<footer>', wanting), { offline: false });
    await page.evaluate((url) => fetch(url).catch(() => null), `${place}/d`);
    assert.match(page.complaints.join(), /Content Security Policy/);
    assert.deepEqual(asked, []);
    // Without the policy it is answered, so the server would have told.
    await (
      await bench.open(withKey.replace('<footer>', wanting).replace(/<meta http-equiv.*/, ''), {
        offline: false,
      })
    ).waitForLoadState('load');
    assert.ok(asked.length >= 3, asked.join());
  });
});

// ---- an issuer that signs what is not so ------------------------------------------------------

const copy = () => structuredClone(payload);
const proofOf = (it, kind) => it.log.proofs.find((proof) => proof.kind === kind);
const otherLetter = (text, at) =>
  text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

function changedEntry(it, kind, member, value) {
  const proof = proofOf(it, kind);
  const entry = JSON.parse(Buffer.from(proof.entry, 'base64').toString());
  proof.entry = Buffer.from(JSON.stringify({ ...entry, [member]: value })).toString('base64');
}

const instance = (digits, receipt = '') => ({
  instance_id: digits.repeat(16),
  copied: '2026-03-01T12:30:05Z',
  receipt: receipt.repeat(16),
});
const snapshot = (attested) => ({
  epoch_id: 'cd'.repeat(16),
  clear_date: '2027-01-15T00:00:00Z',
  attested,
});
// All that `complete` needs, whatever the tests run on.
function wellKept(it) {
  it.status = 'complete';
  it.root.assurance_known = true;
  for (const slot of it.root.slots_destroyed)
    Object.assign(slot, { overwritten: true, read_back: true, gone: true });
}

const LIES = {
  'a changed hash of a proof': [
    (it) => {
      const proof = proofOf(it, 'slot-destroyed');
      const lines = proof.proof.split('\n');
      lines[2] = otherLetter(lines[2], 5);
      proof.proof = lines.join('\n');
    },
    /“slot-destroyed” stands in the log does not lead/,
  ],
  'proofs that were swapped': [
    (it) => {
      const [a, b] = [proofOf(it, 'keys-unreachable'), proofOf(it, 'slot-destroyed')];
      [a.proof, b.proof] = [b.proof, a.proof];
    },
    /“keys-unreachable” stands in the log does not lead/,
  ],
  'a proof that is too short': [
    (it) => {
      const proof = proofOf(it, 'key-created');
      const lines = proof.proof.split('\n');
      lines.splice(2, 1);
      proof.proof = lines.join('\n');
    },
    /“key-created” stands in the log does not lead/,
  ],
  'an entry that the log does not have': [
    (it) => changedEntry(it, 'slot-destroyed', 'acknowledged', 7),
    /“slot-destroyed” stands in the log does not lead/,
  ],
  'a changed signature of the checkpoint': [
    (it) => {
      for (const proof of it.log.proofs)
        proof.proof = otherLetter(proof.proof, proof.proof.lastIndexOf(' ') + 20);
    },
    /signature of the log’s checkpoint does not fit/,
  ],
  'a changed checkpoint': [
    (it) => {
      for (const proof of it.log.proofs) {
        const [head, note] = proof.proof.split('\n\n', 2);
        const lines = note.split('\n');
        lines[2] = otherLetter(lines[2], 4);
        proof.proof = `${head}\n\n${lines.join('\n')}\n\n${proof.proof.split('\n\n')[2]}`;
      }
    },
    /signature of the log’s checkpoint does not fit/,
  ],
  'proofs under different checkpoints': [
    (it) => {
      it.log.proofs[1].proof += it.log.proofs[1].proof.split('\n').at(-2) + '\n';
    },
    /different checkpoints/,
  ],
  'another key of the log': [
    (it) => {
      it.log.vkey = bench
        .must('other', '--json', 'audit', 'checkpoint')
        .match(/"verifier_key": "([^"]+)"/)[1];
    },
    /not that of the vault’s log/,
  ],
  'a key of the log that does not fit its id': [
    (it) => {
      it.log.vkey = it.log.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+');
    },
    /does not fit its own id/,
  ],
  'no proofs': [
    (it) => {
      it.log.proofs = [];
    },
    /encloses no proofs/,
  ],
  'no proof that a key was made': [
    (it) => {
      it.log.proofs = it.log.proofs.filter((proof) => proof.kind !== 'key-created');
    },
    /does not show the making of the key/,
  ],
  'no proof of the destroyed slot': [
    (it) => {
      it.log.proofs = it.log.proofs.filter((proof) => proof.kind !== 'slot-destroyed');
    },
    /no proof that the root slot was destroyed/,
  ],
  'an entry under another label': [
    (it) => {
      proofOf(it, 'slot-destroyed').kind = 'export-made';
    },
    /labelled as another kind/,
  ],
  'another key commitment': [
    (it) => {
      it.targets[0].keys[0].commitment = '00'.repeat(32);
    },
    /does not show the making of the key/,
  ],
  'a scope that it was not': [
    (it) => {
      it.targets[0].scope_id = '0123456789abcdef';
    },
    /does not show the making of the key/,
  ],
  'another erasure': [
    (it) => {
      it.erasure_id = '00'.repeat(16);
    },
    /another erasure/,
  ],
  'an earlier time': [
    (it) => {
      it.times.slot_destroyed = it.times.begun = '2020-01-01T00:00:00Z';
    },
    /other times/,
  ],
  'an issue before the erasure': [
    (it) => {
      it.issued_at = '2020-01-01T00:00:00Z';
    },
    /not in order/,
  ],
  'more holders': [
    (it) => {
      it.holders.acknowledged = 99;
    },
    /other root slots or holders/,
  ],
  'complete, with a slot that was not seen destroyed': [
    (it) => {
      it.status = 'complete';
      it.root.slots_destroyed[0].read_back = false;
    },
    /not everything was seen destroyed/,
  ],
  'complete, on a medium that is not known': [
    (it) => {
      it.status = 'complete';
      it.root.assurance_known = false;
    },
    /not everything was seen destroyed/,
  ],
  'live, without a key snapshot': [
    (it) => {
      it.phase = 'live';
    },
    /does not agree with the key snapshots/,
  ],
  'live, with a key snapshot that is attested to be gone': [
    (it) => {
      it.phase = 'live';
      it.status = 'pending-snapshots';
      it.key_snapshots = [snapshot(true)];
    },
    /does not agree with the key snapshots/,
  ],
  'final, with a key snapshot that is left': [
    (it) => {
      it.key_snapshots = [snapshot(false)];
    },
    /does not agree with the key snapshots/,
  ],
  'complete, with exports that are not known': [
    (it) => {
      it.status = 'complete';
      it.root.assurance_known = true;
      it.exports_known = false;
    },
    /not everything was seen destroyed/,
  ],
  'complete, with another instance of the vault': [
    (it) => {
      wellKept(it);
      it.instances = [instance('01')];
    },
    /“complete”.*another instance of the vault may hold the keys/,
  ],
  'complete, with another instance that has no receipt': [
    (it) => {
      wellKept(it);
      it.instances = [instance('01', 'ab'), instance('02')];
    },
    /“complete”.*another instance of the vault may hold the keys/,
  ],
  'one receipt for two instances': [
    (it) => {
      wellKept(it);
      it.instances = [instance('01', 'ab'), instance('02', 'ab')];
    },
    /are not certificates of theirs/,
  ],
  'its own id as a receipt': [
    (it) => {
      wellKept(it);
      it.instances = [{ ...instance('01'), receipt: it.certificate_id }];
    },
    /are not certificates of theirs/,
  ],
  'no word of a receipt': [
    (it) => {
      wellKept(it);
      it.instances = [instance('01')];
      delete it.instances[0].receipt;
    },
    /are not certificates of theirs/,
  ],
  'complete, with instances that are not known': [
    (it) => {
      wellKept(it);
      it.instances_known = false;
    },
    /“complete”.*another instance of the vault may hold the keys/,
  ],
  'instances out of order': [
    (it) => {
      it.status = 'partial';
      it.instances = [instance('02'), instance('01')];
    },
    /not listed in order, each of them once/,
  ],
  'an instance twice': [
    (it) => {
      it.status = 'partial';
      it.instances = [instance('01'), instance('01')];
    },
    /not listed in order, each of them once/,
  ],
  'an instance without an id': [
    (it) => {
      it.status = 'partial';
      it.instances = [{ copied: '2026-03-01T12:30:05Z' }];
    },
    /not listed in order, each of them once/,
  ],
  'no word of other instances': [
    (it) => {
      delete it.instances;
    },
    /missing or malformed/,
  ],
  'a status of its own': [
    (it) => {
      it.status = 'splendid';
    },
    /status is not one that exists/,
  ],
  'a later version': [
    (it) => {
      it.version = 999;
    },
    /version 999, which this page cannot judge/,
  ],
  'another issuer inside': [
    (it) => it,
    /names another issuer/,
    (it) => bench.ascii(JSON.stringify(it)),
  ],
  'members missing': [
    (it) => {
      delete it.holders;
    },
    /missing or malformed/,
  ],
};

describe('an issuer of one’s own', () => {
  test('is believed what is so', async () => {
    const page = await bench.judged(bench.signed(payload));
    assert.equal(await bench.verdictOf(page), 'confirmed');
  });

  for (const [lie, [change, reason, text]] of Object.entries(LIES))
    test(`is not believed ${lie}`, async () => {
      const changed = copy();
      change(changed);
      assert.ok(text || JSON.stringify(changed) !== JSON.stringify(payload));
      await bench.rejected(await bench.judged(bench.signed(changed, text?.(changed))), reason);
    });

  test('cannot have two readings of one text', () => {
    const twice = JSON.stringify(payload).replace('"version":1', '"version":1,"status":"partial"');
    writeFileSync(bench.inside('twice.json'), bench.signed(payload, twice));
    const done = bench.run('none', 'cert', 'render', 'twice.json', '-o', 'twice.html');
    assert.equal(done.status, 7, done.stderr);
  });
});

// ---- hostile certificates ---------------------------------------------------------------------

describe('a hostile certificate', () => {
  const markup =
    '</script></pre><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">&lt;{{script}}';

  test('is text and nothing else', async () => {
    const hostile = {
      ...copy(),
      reason: markup,
      claims: [markup, '\u202egnp.exe'],
      [markup]: { [markup]: [markup] },
      decided_by: markup,
      request: { approvals: markup },
    };
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
    for (const [text, why] of [
      ['', /not an erasure certificate/],
      ['<html></html>', /not an erasure certificate/],
      [markup, /not an erasure certificate/],
      [certificate.replace('{', '{"x":"</pre><script>",'), /canonical form/],
      [certificate.replace('"payload":"', '"payload":"</pre>'), /base64url/],
      [head + rest.join(' ') + '<script>', /canonical form/],
      [
        bench.signed(
          payload,
          JSON.stringify({ type: 'another', certificate_id: payload.certificate_id }),
        ),
        /another type/,
      ],
      [bench.signed(payload, '[]'), /another type/],
      [bench.signed(payload, '[['.repeat(40)), /payload/],
    ]) {
      writeFileSync(bench.inside('none.json'), text);
      const done = bench.run('none', 'cert', 'render', 'none.json', '-o', 'none.html');
      assert.equal(done.status, 7, `${text.slice(0, 60)}: ${done.stderr}`);
      assert.match(done.stderr, why);
      assert.throws(() => readFileSync(bench.inside('none.html')));
    }
  });
});
