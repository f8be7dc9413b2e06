// The vault's log: entries proved to be in it, under a checkpoint signed with its key.

function wholeNumber(text, what) {
  const value = Number(text);
  hold(/^(0|[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(value), `${what} is not a number.`);
  return value;
}

// C2SP signed note: "name+id+key", where key begins with the kind of signature.
async function parseLogKey(vkey) {
  const parts = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(vkey);
  hold(parts, 'The key of the log is malformed.');
  const [, name, id, encoded] = parts;
  const typed = fromBase64(encoded, 'The key of the log');
  hold(typed.length === 33 && typed[0] === 1, 'The key of the log is not an Ed25519 key.');
  const digest = await sha256(joined(utf8(name + '\n'), typed));
  hold(toHex(digest.slice(0, 4)) === id, 'The key of the log does not fit its own id.');
  return { name, id: digest.slice(0, 4), key: typed.slice(1) };
}

// C2SP tlog-checkpoint inside a signed note.
async function openCheckpoint(note, logKey) {
  const split = note.lastIndexOf('\n\n');
  hold(split > 0 && note.endsWith('\n'), 'The checkpoint of the log is malformed.');
  const text = note.slice(0, split + 1);
  let signed = false;
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const parts = /^— ([^ ]+) ([A-Za-z0-9+/=]+)$/.exec(line);
    hold(parts, 'The checkpoint of the log has a malformed signature.');
    const bytes = fromBase64(parts[2], 'A signature of the checkpoint');
    if (parts[1] !== logKey.name || !sameBytes(bytes.slice(0, 4), logKey.id)) continue;
    hold(
      await signatureHolds(logKey.key, bytes.slice(4), utf8(text)),
      'The signature of the log’s checkpoint does not fit.',
    );
    signed = true;
  }
  hold(signed, 'The checkpoint is not signed with the key of the log.');
  const [origin, size, root] = text.split('\n');
  hold(origin === logKey.name, 'The checkpoint is of another log.');
  return {
    size: wholeNumber(size, 'The size of the log'),
    root: fromBase64(root ?? '', 'The root of the log'),
  };
}

// C2SP tlog-proof.
function parseProof(text) {
  const split = text.indexOf('\n\n');
  const [title, index, ...hashes] = text.slice(0, Math.max(split, 0)).split('\n');
  hold(
    title === 'c2sp.org/tlog-proof@v1' && index?.startsWith('index '),
    'A proof of the log is malformed.',
  );
  return {
    index: wholeNumber(index.slice(6), 'The place of an entry'),
    hashes: hashes.map((hash) => fromBase64(hash, 'A hash of a proof')),
    checkpoint: text.slice(split + 2),
  };
}

// RFC 9162, section 2.1.3.2: from the entry up to the root.
async function rootOf(entry, index, size, hashes) {
  const up = (n) => Math.floor(n / 2);
  let [node, last] = [index, size - 1];
  let hash = await sha256(joined([0], entry));
  for (const sibling of hashes) {
    if (last === 0) return null;
    if (node % 2 === 1 || node === last) {
      hash = await sha256(joined([1], sibling, hash));
      while (node % 2 === 0 && node !== 0) [node, last] = [up(node), up(last)];
    } else {
      hash = await sha256(joined([1], hash, sibling));
    }
    [node, last] = [up(node), up(last)];
  }
  return last === 0 ? hash : null;
}

async function checkInclusion(proven, proof, checkpoint) {
  const entry = fromBase64(proven.entry, 'An entry of the log');
  const root =
    proof.index < checkpoint.size &&
    (await rootOf(entry, proof.index, checkpoint.size, proof.hashes));
  hold(
    root && sameBytes(root, checkpoint.root),
    `The proof that “${proven.kind}” stands in the log does not lead to the signed checkpoint.`,
  );
  const json = canonicalJson(plainText(entry, 'An entry of the log'), 'An entry of the log');
  hold(json.kind === proven.kind, 'An entry of the log is labelled as another kind.');
  return { ...json, index: proof.index };
}

// Every entry, proved to be in the log under the one signed checkpoint.
async function openLog(payload) {
  const { origin, vkey, proofs } = payload.log ?? {};
  hold(
    typeof vkey === 'string' && Array.isArray(proofs) && proofs.length > 0,
    'It encloses no proofs from the log.',
  );
  const logKey = await parseLogKey(vkey);
  hold(
    origin === logKey.name && origin.includes(payload.vault_id),
    'The key of the log is not that of the vault’s log.',
  );
  const parsed = proofs.map(({ proof }) => parseProof(String(proof)));
  hold(
    parsed.every(({ checkpoint }) => checkpoint === parsed[0].checkpoint),
    'The proofs are under different checkpoints.',
  );
  const checkpoint = await openCheckpoint(parsed[0].checkpoint, logKey);
  const entries = [];
  for (const [i, proven] of proofs.entries())
    entries.push(await checkInclusion(proven, parsed[i], checkpoint));
  return { entries, checkpoint };
}
