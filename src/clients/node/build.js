// Makes `dist`: the types, and the CommonJS form of each module; and copies the licence. The types of the data come
// from the OpenAPI document of the service that TERTULIA_BIN names.

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import openapi, { astToString } from 'openapi-typescript';
import { startService } from './lib/testing/index.js';

const root = fileURLToPath(new URL('.', import.meta.url));
const dist = join(root, 'dist');
const SOURCES = ['lib', 'lp-messaging-sdk'];

/** The files below a folder whose names end so, relative to the package. */
async function files(folder, end) {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile() && entry.name.endsWith(end));
  const isExample = (path) => path.split('/').includes('examples');
  return paths
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => !isExample(path));
}

/** Writes the types of the service's OpenAPI document. */
async function describe() {
  const service = await startService();
  try {
    const document = data(await service.tertulia.openapi());
    await writeFile(
      join(root, 'lib/openapi.d.ts'),
      astToString(await openapi(document, { defaultNonNullable: false })),
    );
  } finally {
    await service.stop();
  }
}

/**
 * The schemas of an OpenAPI document, and one more for the query of each operation; the rest would make the types three
 * times as long.
 */
function data({ paths, components, ...document }) {
  const operations = Object.values(paths).flatMap((item) => Object.values(item));
  const queries = operations.map(({ operationId, parameters = [] }) => {
    const inQuery = parameters.filter((parameter) => parameter.in === 'query');
    const properties = inQuery.map(({ name, description, schema }) => [name, { ...schema, description }]);
    return [`${operationId}Query`, { type: 'object', properties: Object.fromEntries(properties) }];
  });
  const schemas = { ...components.schemas, ...Object.fromEntries(queries) };
  return { ...document, webhooks: {}, paths: {}, components: { schemas } };
}

/** Writes the types of the modules, and checks the modules against them. */
async function declare() {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [compiler, '--project', root]).catch((error) => {
    throw new Error(error.stdout);
  });
  // The compiler writes no declarations for modules that have hand-written ones.
  for (const file of (await Promise.all(SOURCES.map((folder) => files(folder, '.d.ts')))).flat()) {
    await mkdir(dirname(join(dist, 'types', file)), { recursive: true });
    await cp(join(root, file), join(dist, 'types', file));
  }
}

/** Writes the CommonJS modules, beside types that count as CommonJS, too. */
async function convert() {
  const entryPoints = (await Promise.all(SOURCES.map((folder) => files(folder, '.js')))).flat();
  const options = { entryPoints, outdir: join(dist, 'cjs'), outbase: root, absWorkingDir: root };
  await build({ ...options, format: 'cjs', platform: 'neutral', target: 'node18', logLevel: 'warning' });
  await writeFile(join(dist, 'cjs/package.json'), '{ "type": "commonjs" }\n');
  await cp(join(dist, 'types'), join(dist, 'cjs'), { recursive: true });
}

await describe();
await rm(dist, { recursive: true, force: true });
await declare();
await convert();
await cp(join(root, '../../../LICENSE'), join(root, 'LICENSE'));
