// The Node.js package as it is installed; its document and its declarations.
//
// usage: QUIETUS_NODE_PACKAGE=FOLDER node node_package_test.mjs
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { PACKAGE, ROOT, newFolder, quietus } from './node_binding.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));

describe('the package', () => {
  // A program beside which `npm install PACKAGE` was called; offline.
  function installed(folder) {
    fs.writeFileSync(path.join(folder, 'package.json'), '{"private": true, "type": "module"}');
    execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error', PACKAGE],
                 { cwd: folder, env: { ...process.env, HOME: folder, npm_config_cache: path.join(folder, '.npm') } });
  }

  test('npm installs it from its folder', () => {
    const folder = newFolder();
    try {
      installed(folder);
      for (const code of ["import { version } from 'quietus'; console.log(version)",
                          "import quietus from 'quietus'; console.log(quietus.version)",
                          "import { createRequire } from 'node:module';" +
                          "console.log(createRequire(process.cwd() + '/x')('quietus').version)"]) {
        fs.writeFileSync(path.join(folder, 'program.mjs'), code);
        const said = execFileSync(process.execPath, ['program.mjs'], { cwd: folder, encoding: 'utf8' });
        assert.equal(said, `${quietus.version}\n`);
      }
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
    const { version, dependencies, scripts } = JSON.parse(fs.readFileSync(path.join(PACKAGE, 'package.json'), 'utf8'));
    assert.deepEqual([version, dependencies, scripts], [quietus.version, undefined, undefined]);
  });

  test('without the library the import says so', () => {
    const folder = newFolder();
    try {
      fs.cpSync(PACKAGE, folder, { recursive: true, filter: (name) => !name.includes('CMake') });
      fs.writeFileSync(path.join(folder, 'quietus.node'), 'none');
      const done = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(folder)})`], { encoding: 'utf8' });
      assert.equal(done.status, 1);
      assert.match(done.stderr, /quietus.node cannot be loaded: build the target quietus_node/);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  test('every function of the header is called', () => {
    const header = fs.readFileSync(path.join(ROOT, 'vault/include/quietus/quietus.h'), 'utf8');
    const sources = fs.readdirSync(path.join(ROOT, 'bindings/node/src'))
      .map((name) => fs.readFileSync(path.join(ROOT, 'bindings/node/src', name), 'utf8')).join();
    const functions = Array.from(header.matchAll(/^QUIETUS_EXPORT .*?\bquietus_(\w+)\(/gm), (found) => found[1]);
    assert.ok(functions.length > 50);
    const missing = functions.filter((name) => !new RegExp(`\\bquietus_${name}\\b`).test(sources));
    assert.deepEqual(missing, ['code_name', 'last_error_code', 'get']);  // get_view is asked instead
  });

  test('every error of the header has a code', () => {
    const header = fs.readFileSync(path.join(ROOT, 'vault/include/quietus/quietus.h'), 'utf8');
    const declared = fs.readFileSync(path.join(PACKAGE, 'index.d.ts'), 'utf8');
    const numbers = Array.from(header.matchAll(/^ {2}QUIETUS_E\w+ = (-\d+)/gm), (found) => Number(found[1]));
    assert.equal(numbers.length, 20);
    const codes = numbers.map((number) => new quietus.QuietusError(number, '').code);
    assert.deepEqual(codes, Array.from(declared.matchAll(/^ {2}\| '(ERR_\w+)'/gm), (found) => found[1]));
  });

  // Every block of docs/node.md, in order, as one module.
  test('the document', () => {
    const document = fs.readFileSync(path.join(ROOT, 'docs/node.md'), 'utf8');
    const blocks = Array.from(document.matchAll(/^```js\n(.*?)^```/gms), (found) => found[1]);
    assert.ok(blocks.length > 5);
    const folder = newFolder();
    try {
      installed(folder);
      fs.writeFileSync(path.join(folder, 'scan.pdf'), 'a scan');
      fs.writeFileSync(path.join(folder, 'anywhere.cjs'), `
        const { Vault } = require('quietus'), create = Vault.create;
        Vault.create = (folder, options) => create(folder, { ...options, acceptUnknownMedium: true });`);
      fs.writeFileSync(path.join(folder, 'program.mjs'), `${blocks.join('\n')}\nconsole.log('done');\n`);
      const done = spawnSync(process.execPath, ['--require', './anywhere.cjs', 'program.mjs'],
                             { cwd: folder, encoding: 'utf8', timeout: 120_000 });
      assert.deepEqual([done.status, done.stdout], [0, 'done\n'], done.stderr);
      assert.equal(fs.readFileSync(path.join(folder, 'copy.pdf'), 'utf8'), 'a scan');
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  const compiler = path.join(HERE, 'node_modules/typescript/bin/tsc');
  const without = fs.existsSync(compiler) ? false : 'npm ci was not called in tests/bindings';

  test('a strict program uses every declaration', { skip: without }, () => {
    const folder = newFolder();
    const types = path.join(HERE, 'node_modules/@types');
    try {
      fs.mkdirSync(path.join(folder, 'node_modules'));
      fs.symlinkSync(PACKAGE, path.join(folder, 'node_modules/quietus'));
      fs.copyFileSync(path.join(HERE, 'node_consumer.mts'), path.join(folder, 'consumer.mts'));
      const said = spawnSync(process.execPath, [
        compiler, '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noEmit', '--target',
        'es2022', '--module', 'node16', '--typeRoots', types, '--types', 'node', '--preserveSymlinks', 'consumer.mts',
      ], { cwd: folder, encoding: 'utf8', timeout: 240_000 });
      assert.deepEqual([said.status, said.stdout], [0, '']);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  // What is declared, as `Class.member` and `name`.
  async function declarations() {
    const { default: ts } = await import(path.join(HERE, 'node_modules/typescript/lib/typescript.js'));
    const file = ts.createSourceFile('index.d.ts', fs.readFileSync(path.join(PACKAGE, 'index.d.ts'), 'utf8'),
                                     ts.ScriptTarget.ES2022, true);
    const found = new Set();
    for (const each of file.statements) {
      if (ts.isFunctionDeclaration(each)) found.add(each.name.text);
      if (ts.isVariableStatement(each)) each.declarationList.declarations.forEach((one) => found.add(one.name.text));
      if (!ts.isClassDeclaration(each)) continue;
      if (each.name.text !== 'Handle') found.add(each.name.text);
      for (const member of each.members)
        if (member.name && !ts.isComputedPropertyName(member.name)) found.add(`${each.name.text}.${member.name.text}`);
    }
    return [...found].sort();
  }

  test('declarations and exports agree', { skip: without }, async () => {
    const own = (kind, name) => Object.getOwnPropertyNames(kind)
      .filter((member) => !['constructor', 'length', 'name', 'prototype'].includes(member))
      .map((member) => `${name}.${member}`);
    const found = [...Object.keys(quietus), ...own(Object.getPrototypeOf(quietus.Vault).prototype, 'Handle'),
                   'QuietusError.code', 'QuietusError.number'];
    for (const name of ['Vault', 'Scope', 'Batch']) found.push(...own(quietus[name], name), ...own(quietus[name].prototype, name));
    assert.deepEqual(found.sort(), await declarations());
  });

  test('the strict program calls every function', { skip: without }, async () => {
    const program = fs.readFileSync(path.join(HERE, 'node_consumer.mts'), 'utf8');
    for (const name of await declarations())
      assert.match(program, new RegExp(`\\b${name.split('.').at(-1)}\\b`), name);
  });
});
