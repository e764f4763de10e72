// The package as users get it: packed, installed without a network, used from both kinds of modules, compiled against.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

/** Runs a program in the project; its output, or an error with its output. */
const inProject = async (program, ...parameters) => {
  const { stdout } = await run(program, parameters, { cwd: project }).catch((error) => {
    throw new Error(`${error.stdout}\n${error.stderr}`);
  });
  return stdout;
};

let project;
let packed;

before(async () => {
  project = await mkdtemp(join(tmpdir(), 'tertulia-package-'));
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], {
    cwd: root,
  });
  [packed] = JSON.parse(stdout);
  await writeFile(join(project, 'package.json'), '{ "name": "empty", "private": true }');
  await inProject('npm', 'install', '--offline', '--no-audit', '--no-fund', `./${packed.filename}`);
});
after(() => rm(project, { recursive: true, force: true }));

test('the package has its modules and types, and neither tests nor examples nor dependencies', async () => {
  const paths = packed.files.map(({ path }) => path);
  for (const needed of [
    'README.md',
    'LICENSE',
    'bin/tertulia.js',
    'lib/index.js',
    'dist/cjs/lib/index.js',
    'dist/types/lib/index.d.ts',
    'dist/types/lib/openapi.d.ts',
  ]) {
    assert.ok(paths.includes(needed), `${needed} is missing`);
  }
  const unwanted = paths.filter(
    (path) => /(^|\/)(tests?|examples|node_modules)\//.test(path) || /build\.js|tsconfig/.test(path),
  );
  assert.deepEqual(unwanted, []);
  assert.deepEqual(
    await readdir(join(project, 'node_modules')).then((names) => names.filter((name) => !name.startsWith('.'))),
    ['tertulia'],
  );
});

const USE = `
  const { tertulia, stop, platform } = await startTertulia();
  try {
    const id = await platform.open();
    await platform.say(id, 'hello');
    for await (const event of tertulia.events({ type: 'message', after: 'earliest' })) {
      await event.reply('from the package');
      break;
    }
    console.log((await platform.answers(id)).join());
  } finally {
    await stop();
  }
  console.log(typeof connect, typeof memoryCursor, typeof fileCursor, typeof createConnection);
`;
const NAMES = {
  tertulia: 'connect, memoryCursor',
  'tertulia/node': 'fileCursor',
  'tertulia/testing': 'startTertulia',
  'tertulia/lp-messaging-sdk': 'createConnection',
};
const USED = 'from the package\nfunction function function function\n';

test('it is used by import', async () => {
  const imports = Object.entries(NAMES).map(([entry, names]) => `import { ${names} } from '${entry}';`);
  await writeFile(join(project, 'use.mjs'), imports.join('\n') + USE);
  assert.equal(await inProject(process.execPath, 'use.mjs'), USED);
});

test('it is used by require', async () => {
  const requires = Object.entries(NAMES).map(([entry, names]) => `const { ${names} } = require('${entry}');`);
  await writeFile(join(project, 'use.cjs'), `${requires.join('\n')}(async () => {${USE}})();`);
  assert.equal(await inProject(process.execPath, 'use.cjs'), USED);
});

test('its types compile in strict mode: for both kinds of modules, for browsers, and for compilers that ignore exports', async () => {
  const compile = async (files, ...options) => {
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const strict = ['--strict', '--noEmit', '--skipDefaultLibCheck', '--target', 'es2022'];
    await inProject(process.execPath, compiler, ...strict, ...options, ...files);
  };
  const names = ['uses', 'uses_of_node', 'uses_of_lp_messaging_sdk'];
  for (const kind of ['mts', 'cts', 'ts']) {
    for (const name of names) await cp(join(root, `test/types/${name}.ts`), join(project, `${name}.${kind}`));
  }
  await compile(['uses.mts'], '--module', 'nodenext', '--lib', 'es2022,dom,dom.iterable');
  await symlink(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'));
  await symlink(join(root, 'node_modules/undici-types'), join(project, 'node_modules/undici-types'));
  const node = ['--lib', 'es2022', '--types', 'node'];
  const old = ['--module', 'commonjs', '--moduleResolution', 'node10', '--esModuleInterop', '--skipLibCheck'];
  const modules = names.flatMap((name) => [`${name}.mts`, `${name}.cts`]);
  const files = names.map((name) => `${name}.ts`);
  await Promise.all([compile(modules, '--module', 'nodenext', ...node), compile(files, ...old, ...node)]);
});

test('the entry for browsers needs nothing of Node', async () => {
  const built = await build({
    entryPoints: [join(project, 'node_modules/tertulia/lib/index.js')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    logLevel: 'silent',
  });
  assert.equal(built.outputFiles.length, 1);
});

test('npx passes everything through, and says how to get the program if it is missing', async () => {
  const command = join(project, 'node_modules/.bin/tertulia');
  const { stdout } = await run(command, ['emulate', '--help']);
  assert.match(stdout, /platform stand-in/);
  const failed = await run(command, ['check', '--config', '/none']).catch((error) => error);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /\/none/);
  const path = `${join(project, 'node_modules/.bin')}:${join(process.execPath, '..')}:/usr/bin:/bin`;
  const missing = await run(command, ['emulate'], { env: { PATH: path } }).catch((error) => error);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /tertulia is missing/);
});
