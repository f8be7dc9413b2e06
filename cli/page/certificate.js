// The page: runs the check, and shows the payload only once it was verified. Everything is made as
// text nodes; no text of a certificate is ever read as markup.

const VERDICTS = {
  checking: { mark: '…', title: 'Checking…' },
  missing: { mark: '?', title: 'Not checked yet: the issuer’s key is missing' },
  intact: { mark: '✓', title: 'The signature is intact' },
  confirmed: { mark: '✓', title: 'Genuine: signed by the key that you gave' },
  broken: { mark: '✕', title: 'Do not rely on this certificate' },
  unable: { mark: '?', title: 'This browser cannot check it' },
};

const byId = (id) => document.getElementById(id);
const certificateText = byId('certificate').textContent;
const embeddedKey = byId('embedded-key').textContent.trim();

function element(name, attributes, ...children) {
  const svg = ['svg', 'title', 'desc', 'line', 'circle', 'text', 'tspan', 'g'].includes(name);
  const made = svg
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== ''));
  return made;
}

// ---- the verdict ------------------------------------------------------------------------------

function showVerdict(kind, text, note = '') {
  const { mark, title } = VERDICTS[kind];
  byId('verdict').dataset.verdict = kind;
  byId('verdict').replaceChildren(
    element('span', { class: 'mark', 'aria-hidden': 'true' }, mark),
    element(
      'div',
      null,
      element('h2', null, title),
      element('p', null, ...text),
      note && element('p', { class: 'note' }, note),
    ),
  );
}

function showChecks(passed, failed) {
  byId('checks').replaceChildren(
    ...passed.map((line) => element('li', { class: 'passed' }, line)),
    ...(failed ? [element('li', { class: 'failed' }, failed)] : []),
  );
}

function hideContent() {
  byId('unverified')?.remove();
  byId('content').replaceChildren();
}

// ---- the timeline -----------------------------------------------------------------------------

// Places and sizes are in units of the picture, which is as many pixels wide. A label that is too
// long is cut; the description has all of it.
const ACROSS = { width: 720, height: 118, steps: 4, letters: 22 };
const DOWN = { width: 320, step: 52, letters: 34 };

const cut = (text, letters) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);

function dot(x, y, step) {
  return element('circle', { cx: x, cy: y, r: 8, class: step.due ? 'due' : 'done' });
}

function label(x, y, anchor, lines) {
  return element(
    'text',
    { x, y, 'text-anchor': anchor },
    ...lines
      .filter(Boolean)
      .map((text, i) =>
        element('tspan', { x, dy: i === 0 ? 0 : 17, class: i === 0 ? 'label' : 'when' }, text),
      ),
  );
}

function across(steps) {
  const column = ACROSS.width / steps.length;
  const at = (i) => column * (i + 0.5);
  const lines = ({ label: name, time }) => [
    cut(name, ACROSS.letters),
    moment(time).day,
    moment(time).clock,
  ];
  const line = element('line', { x1: at(0), y1: 24, x2: at(steps.length - 1), y2: 24 });
  return [
    ACROSS.width,
    ACROSS.height,
    line,
    steps.map((step, i) => [dot(at(i), 24, step), label(at(i), 60, 'middle', lines(step))]).flat(),
  ];
}

function down(steps) {
  const at = (i) => 20 + i * DOWN.step;
  const lines = ({ label: name, time }) => [cut(name, DOWN.letters), momentText(time)];
  const line = element('line', { x1: 16, y1: at(0), x2: 16, y2: at(steps.length - 1) });
  return [
    DOWN.width,
    DOWN.step * steps.length,
    line,
    steps
      .map((step, i) => [dot(16, at(i), step), label(40, at(i) + 5, 'start', lines(step))])
      .flat(),
  ];
}

function picture(style, steps, [width, height, ...shapes]) {
  const told = steps.map(
    (step) => `${step.label}: ${momentText(step.time)}${step.due ? ' (to come)' : ''}`,
  );
  return element(
    'svg',
    {
      class: style,
      role: 'img',
      viewBox: `0 0 ${width} ${height}`,
      'aria-labelledby': `${style}-title ${style}-desc`,
    },
    element('title', { id: `${style}-title` }, 'Timeline of the erasure'),
    element('desc', { id: `${style}-desc` }, `${told.join('. ')}.`),
    ...shapes.flat(),
  );
}

// Wide windows and paper show the picture that goes across, unless there are too many steps.
function timeline(steps) {
  if (steps.length > ACROSS.steps)
    return element('figure', null, picture('always', steps, down(steps)));
  return element(
    'figure',
    null,
    picture('narrow', steps, down(steps)),
    picture('wide', steps, across(steps)),
  );
}

// ---- the content ------------------------------------------------------------------------------

const codes = (list) => (list ?? []).map((text) => element('code', null, text));

function pairs(list) {
  return element(
    'dl',
    { class: 'facts' },
    ...list.map(({ term, text, note, codes: ids }) =>
      element(
        'div',
        null,
        element('dt', null, term),
        element(
          'dd',
          null,
          [text ?? []].flat().map((line) => element('span', null, line)),
          codes(ids),
          note ? element('span', { class: 'note' }, note) : '',
        ),
      ),
    ),
  );
}

const idOf = (title) => title.toLowerCase().replace(/[^a-z]+/g, '-');

function section(title, ...children) {
  const id = idOf(title);
  return element('section', { 'aria-labelledby': id }, element('h3', { id }, title), ...children);
}

function card(title, ...children) {
  const id = idOf(title);
  return element(
    'section',
    { class: 'part', 'aria-labelledby': id },
    element('h2', { id }, title),
    ...children,
  );
}

const bullets = (lines) => element('ul', null, ...lines.map((line) => element('li', null, line)));

// Any value as it stands in the payload.
function tree(value) {
  if (!isObject(value)) return shown(value);
  if (Array.isArray(value))
    return value.length
      ? element('ol', null, ...value.map((item) => element('li', null, tree(item))))
      : 'none';
  return element(
    'dl',
    null,
    ...Object.entries(value).map(([name, part]) =>
      element('div', null, element('dt', null, shown(name)), element('dd', null, tree(part))),
    ),
  );
}

function showContent(payload) {
  const told = story(payload);
  hideContent();
  document.title = `${told.title}: erasure certificate ${shown(payload.certificate_id)}`;
  byId('content').append(
    element(
      'section',
      { class: `part outcome ${told.tone}`, 'aria-labelledby': 'outcome' },
      element('p', { class: 'maker' }, 'What the certificate says'),
      element('h2', { id: 'outcome' }, told.title),
      element('p', { class: 'lead' }, told.text),
      pairs(told.facts),
      section('How it went', timeline(told.steps)),
      section('What remains, and until when', bullets(told.remains)),
      ...(told.other.length
        ? [
            section(
              'Also on the certificate',
              pairs(told.other.map(([term, text]) => ({ term, text }))),
            ),
          ]
        : []),
    ),
    card(
      'In the issuer’s words',
      section('What is stated', bullets(told.stated)),
      section('What is not covered', bullets(told.uncovered)),
      element(
        'details',
        { class: 'technical' },
        element('summary', null, 'Everything that was signed'),
        element('div', { class: 'tree' }, tree(payload)),
      ),
    ),
  );
}

// ---- the check --------------------------------------------------------------------------------

function intactText(fingerprint) {
  return [
    'Nothing was changed since it was signed. Whether the key ',
    element('code', null, fingerprint),
    ' is the issuer’s you must compare: this page brought ' +
      'the key along, and so could a forger’s. ',
    element('a', { href: '#key-title', class: 'on-screen' }, 'How to compare'),
  ];
}

const confirmedText = (fingerprint) => [
  'Nothing was changed since the key ',
  element('code', null, fingerprint),
  ' signed it.',
];

// The page says what it knows, never more: red and no content as soon as anything does not hold.
let checks = 0; // what was begun last is what is shown
async function check(pem, given) {
  const mine = ++checks;
  const passed = [];
  showVerdict('checking', ['The page is checking the certificate.']);
  try {
    const key = keyFromPem(pem);
    const payload = await verifyCertificate(certificateText, key, (line) => passed.push(line));
    const kid = await fingerprintOf(key);
    if (mine !== checks) return;
    showContent(payload);
    showVerdict(
      given ? 'confirmed' : 'intact',
      given ? confirmedText(kid) : intactText(kid),
      `Checked in this browser on ${momentText(new Date().toISOString())}, by this computer’s clock.`,
    );
    showChecks(passed);
  } catch (error) {
    if (mine !== checks) return;
    if (error instanceof Unable) return showUnable();
    const reason =
      error instanceof Refusal ? error.message : 'A part of it is missing or malformed.';
    hideContent();
    document.title = 'Erasure certificate: does not verify';
    showVerdict('broken', [reason], 'What it says is not shown, because it cannot be relied on.');
    showChecks(passed, reason);
  }
}

function showUnable() {
  showVerdict('unable', [
    'It has no Ed25519 signatures. Open the page in a newer one, or check the ' +
      'saved certificate as described below. Until then, nothing of it is checked.',
  ]);
}

function showMissing() {
  let kid = '';
  try {
    ({ kid } = takeApart(certificateText));
  } catch (error) {
    hideContent();
    return showVerdict('broken', [error.message]);
  }
  showVerdict('missing', [
    'It claims to be signed by the key ',
    element('code', null, kid),
    '. ',
    element('a', { href: '#key-title', class: 'on-screen' }, 'Give that key'),
    ', as you got it from the issuer.',
  ]);
}

// ---- the reader's key -------------------------------------------------------------------------

function complain(text) {
  const field = byId('pem');
  byId('pem-error').textContent = text;
  if (text) field.setAttribute('aria-invalid', 'true');
  else field.removeAttribute('aria-invalid');
}

async function checkGiven() {
  const pem = byId('pem').value;
  try {
    keyFromPem(pem);
  } catch (error) {
    return complain(error.message);
  }
  complain('');
  await check(pem, true);
  byId('verdict').focus(); // it is far above
}

async function readKeyFile() {
  const [file] = byId('pem-file').files;
  if (!file) return;
  byId('pem').value = file.size > 65536 ? '' : await file.text();
  await checkGiven();
}

function start() {
  byId('check-key').addEventListener('click', checkGiven);
  byId('pem-file').addEventListener('change', readKeyFile);
  byId('save').href = URL.createObjectURL(
    new Blob([certificateText], { type: 'application/jose+json' }),
  );
  for (const part of document.querySelectorAll('.needs-script')) part.hidden = false;
  if (embeddedKey) check(embeddedKey, false);
  else showMissing();
}

start();
