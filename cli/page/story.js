// What a verified payload says, in plain words: plain data for the page to show. All knowledge of
// the payload's members is here. Members that are not known here are shown as they are.

const REASONS = {
  'contract-ended': 'The agreement under which the data was held has ended.',
  'deletion-request': 'A person asked for deletion.',
  'consent-withdrawn': 'Consent was withdrawn.',
  objection: 'A person objected to the processing.',
  'retention-expired': 'The period for keeping the data is over.',
  incident: 'Keys or data may have been seen by somebody who should not.',
  migration: 'The data was moved elsewhere and is kept there.',
  test: 'A test, without real data.',
  other: 'A reason that is not on the certificate.',
};

// Members that the plain part tells in full; the rest is listed after it.
const TOLD = [
  'version',
  'type',
  'certificate_id',
  'vault_id',
  'issuer',
  'issued_at',
  'status',
  'phase',
  'erasure_id',
  'reason',
  'decided_by',
  'request',
  'supersedes',
  'targets',
  'unreadable',
  'batch',
  'method',
  'root',
  'holders',
  'times',
  'log',
  'exports',
  'exports_known',
  'key_snapshots',
  'instances',
  'instances_known',
  'site_inbox',
  'copies',
  'claims',
  'exclusions',
];

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.\d+)?Z)?$/;
const CLEAR_DATE = /^(clear|expires|until)/;
const NAMED_AT_MOST = 4; // scopes, in the plain part
const DRAWN_AT_MOST = 4; // later dates, in the picture; else the first and the last

const isObject = (value) => value !== null && typeof value === 'object';
const isEmpty = (value) =>
  value === null || value === '' || (isObject(value) && Object.keys(value).length === 0);
const counted = (number, noun) =>
  `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const worded = (name) => name.replace(/_/g, ' ');

// Characters that would hide or reorder what follows are shown as their number.
function shown(value) {
  return String(value).replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (c) => `\\u{${c.codePointAt(0).toString(16)}}`,
  );
}

// { day: "27 November 2026", clock: "06:47:43 UTC" }; what is no time stays as it is.
function moment(time) {
  const parts = TIME.exec(time);
  if (!parts) return { day: shown(time), clock: '' };
  const [, year, month, day, clock] = parts;
  return {
    day: `${Number(day)} ${MONTHS[month - 1] ?? month} ${year}`,
    clock: clock ? `${clock} UTC` : '',
  };
}

function momentText(time) {
  const { day, clock } = moment(time);
  return clock ? `${day}, ${clock}` : day;
}

// One line for a value of any form.
function summary(value) {
  if (!isObject(value)) return TIME.test(value) ? momentText(value) : shown(value);
  if (Array.isArray(value)) return value.map(summary).join('; ');
  return Object.entries(value)
    .filter(([, part]) => !isEmpty(part))
    .map(([name, part]) => `${shown(worded(name))}: ${summary(part)}`)
    .join(', ');
}

// Whatever in the payload ends at a date: [{ time, what, gone }], earliest first. What is gone is
// attested to have ended.
function clearDates(payload) {
  const found = [];
  const walk = (value, what) => {
    if (!isObject(value)) return;
    for (const [name, part] of Object.entries(value)) {
      if (CLEAR_DATE.test(name) && TIME.test(part))
        found.push({
          time: part,
          what: shown(worded(String(value.kind ?? value.name ?? what))),
          gone: value.attested === true,
        });
      else if (name !== 'log') walk(part, Array.isArray(value) ? what : name.replace(/s$/, ''));
    }
  };
  walk(payload, 'copy');
  return found.sort((a, b) => (a.time < b.time ? -1 : 1));
}

const slotsSeen = ({ assurance_known: known, slots_destroyed: slots }) =>
  known && slots.every((slot) => slot.overwritten && slot.read_back && slot.gone);

// Why an erasure is partial.
function doubts({ root, exports_known: exportsKnown, instances, instances_known: known }) {
  return [
    !slotsSeen(root) && 'it is not known for certain that nothing of the old root slot is left',
    exportsKnown === false && 'not all exports are known',
    (instances ?? []).some(({ receipt }) => !receipt) &&
      'other instances of the vault may still hold them',
    known === false && 'there may be other instances of the vault that are not known any more',
  ].filter(Boolean);
}

function headline(payload, later) {
  const { status, phase, exports: taken, instances } = payload;
  const last = later.filter(({ gone }) => !gone).at(-1);
  if (status === 'partial')
    return {
      title: 'Partly destroyed',
      tone: 'partial',
      text:
        'The keys cannot be reached any more in this vault, but ' +
        (doubts(payload).join('; ') || 'the issuer does not call it complete') +
        '. Do not read this as a complete erasure.',
    };
  if (phase !== 'final')
    return {
      title: 'Destroyed here; copies of the keys still age out',
      tone: 'partial',
      text:
        'The keys to the data were destroyed in this vault. Copies of them exist elsewhere until ' +
        (last ? `${momentText(last.time)}.` : 'a date that is not stated.'),
    };
  return {
    title: 'Destroyed for good',
    tone: 'complete',
    text:
      'The keys to the data were destroyed. Without them the data cannot be read any more: ' +
      'not in the vault, not in its backups, not in any older copy of it.' +
      (isEmpty(instances ?? null)
        ? ''
        : ' Other instances of the vault destroyed them too, by certificates of their own.') +
      (isEmpty(taken ?? null)
        ? ''
        : ' Copies that had left the vault are another matter: see below.'),
  };
}

// What became unreadable, as the vault counted it.
function amount(unreadable) {
  if (!unreadable?.counted) return '';
  const { scopes_below: below, records, bytes } = unreadable;
  return (
    `${counted(records, 'record')} (${counted(bytes, 'byte')} encrypted) became unreadable` +
    (below > 0 ? `, with ${counted(below, 'scope')} that lay below. ` : '. ')
  );
}

// That it was one of many, erased in one go.
function among(batch) {
  if (!batch || batch.scopes < 2) return '';
  return `It was one of ${counted(batch.scopes, 'scope')} that were erased together. `;
}

function whatWasErased({ targets, unreadable, batch }) {
  const ids = targets.map((target) => shown(target.scope_id));
  const more = ids.length - NAMED_AT_MOST;
  const keys = targets.reduce((sum, target) => sum + target.keys.length, 0);
  return {
    term: 'What',
    text: `${counted(ids.length, 'scope')} with ${counted(keys, 'key')}, and all that lay below`,
    codes: ids.slice(0, NAMED_AT_MOST),
    note:
      amount(unreadable) +
      among(batch) +
      (more > 0 ? `and ${counted(more, 'more scope')}, listed in the details. ` : '') +
      'A scope is a customer, a kind of data or one person’s data. The certificate names nobody; ' +
      'who was given its salt can show which scope was whose.',
  };
}

function whoDecided({ decided_by: by, request }) {
  if (by === 'single-user')
    return {
      text: 'One person',
      note: 'The vault had no operators: whoever could unlock it could do this alone.',
    };
  const people = [request?.approvals ?? []].flat();
  const note = people.map(summary).join('; ');
  const plan = `${counted(people.length, 'signature')} under the plan of request ${shown(request?.request_id)}`;
  if (by === 'policy' && request)
    return { text: `The retention policy of a governed vault, after ${plan}`, note };
  if (by === 'policy') return { text: 'The retention policy of a governed vault' };
  if (by !== 'approval') return { text: 'Not known' };
  return { text: plan, note };
}

function facts(payload) {
  const { times, reason, method, root, supersedes } = payload;
  return [
    whatWasErased(payload),
    { term: 'When', text: momentText(times.slot_destroyed), note: 'by the issuer’s clock' },
    { term: 'Why', text: Object.hasOwn(REASONS, reason) ? REASONS[reason] : shown(reason) },
    { term: 'Decided by', ...whoDecided(payload) },
    {
      term: 'How',
      text: `${capital(shown(method.technique))} (${shown(method.reference)})`,
      note:
        `Root slot: ${shown(root.assurance)}` +
        (root.assurance_known ? '' : '. Whether that works on this medium is not known'),
    },
    {
      term: 'Certificate',
      codes: [shown(payload.certificate_id)],
      note: `issued ${momentText(payload.issued_at)} with ${shown(payload.issuer.tool)}`,
    },
    ...(!isEmpty(supersedes ?? null) ? [{ term: 'Replaces', text: summary(supersedes) }] : []),
  ];
}

function steps({ times, issued_at: issued }, later) {
  return [
    { label: 'Erasure begun', time: times.begun },
    { label: 'Keys unreachable', time: times.keys_unreachable },
    { label: 'Root slot destroyed', time: times.slot_destroyed },
    { label: 'Certificate issued', time: issued },
    ...(later.length > DRAWN_AT_MOST ? [later[0], later.at(-1)] : later).map(({ time, what }) => ({
      label: `Clear: ${what}`,
      time,
      due: time > issued,
    })),
  ];
}

// Who else may have the keys.
function elsewhere({ instances, instances_known: known }) {
  const lines = (instances ?? [])
    .filter(({ receipt }) => !receipt)
    .map(
      ({ instance_id: id, copied }) =>
        `Of the keys, not covered: another instance of the vault, ${shown(id)}, ` +
        `copied on ${momentText(copied)}. It may still hold them.`,
    );
  if (known === false)
    lines.push('Of the keys, not covered: instances of the vault that are not known any more.');
  return lines;
}

// Who else had the keys, and states to have destroyed them.
function receipts({ instances, key_snapshots: snapshots }) {
  const lines = (instances ?? [])
    .filter(({ receipt }) => receipt)
    .map(
      ({ instance_id: id, copied, receipt }) =>
        `Another instance of the vault, ${shown(id)}, copied on ${momentText(copied)}, destroyed ` +
        `the keys too, as its certificate ${shown(receipt)} states. Ask for that one.`,
    );
  if ((snapshots ?? []).some(({ attested }) => attested))
    lines.push('Key snapshots of which the recovery site attested that they are destroyed.');
  return lines;
}

// What its recovery site knows of the erasure.
function told({ site_inbox: inbox }) {
  if (inbox === 'delivered') return ['The recovery site was told: its inbox has a notice of it.'];
  if (inbox === 'not-yet')
    return ['The recovery site was not told yet when this was signed; it might recover them.'];
  return [];
}

function remains(payload, later) {
  const { status, phase, root, exports: taken, exports_known: known } = payload;
  const lines = later
    .filter(({ gone }) => !gone)
    .map(({ time, what }) => `Until ${momentText(time)}: ${what}.`);
  lines.push(...elsewhere(payload));
  if (!slotsSeen(root))
    lines.push(
      'Of the keys: perhaps a part of the old root slot; what was seen of it is in the details.',
    );
  else if (status !== 'partial' && phase === 'final' && lines.length === 0)
    lines.push('Of the keys: nothing, in this vault and the systems listed here.');
  lines.push(...receipts(payload), ...told(payload));
  lines.push('Of the data: only its encrypted form, which nobody can read without the keys.');
  for (const copy of taken ?? [])
    lines.push(
      `Outside the vault, not erased: ${counted(copy.records, 'record')}, ` +
        `${counted(copy.bytes, 'byte')}, exported on ${momentText(copy.time)}.`,
    );
  if (known === false) lines.push('Exports may have been made that are not known any more.');
  else if ((taken ?? []).length === 0) lines.push('No exports are recorded.');
  return lines;
}

function story(payload) {
  const later = clearDates(payload);
  const other = Object.entries(payload).filter(
    ([name, value]) => !TOLD.includes(name) && !isEmpty(value),
  );
  return {
    ...headline(payload, later),
    facts: facts(payload),
    steps: steps(payload, later),
    remains: remains(payload, later),
    stated: (payload.claims ?? []).map(shown),
    uncovered: (payload.exclusions ?? []).map(shown),
    other: other.map(([name, value]) => [shown(worded(name)), summary(value)]),
  };
}
