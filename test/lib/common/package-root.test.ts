import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { functionBundle, packageFile, packageRoot } from '../../../lib/common';
import { sha256 } from '../../../lib/contract';
import { writeFiles } from '../../support/agent-folder';
import { temporaryFolder } from '../../support/stack';

const ROOT = resolve(__dirname, '..', '..', '..');

describe('packageRoot', () => {
  test('is found from the sources and from the built package alike', () => {
    expect(packageRoot()).toBe(ROOT);
    const installed = writeFiles(temporaryFolder(), {
      'package.json': '{"name":"an-app"}',
      'node_modules/cdk-agent-lanes/package.json': '{"name":"cdk-agent-lanes"}',
      'node_modules/cdk-agent-lanes/dist/lib/common/package-root.js': '',
    });
    const library = join(installed, 'node_modules', 'cdk-agent-lanes');
    expect(packageRoot(join(library, 'dist', 'lib', 'common'))).toBe(library);
  });

  test('fails outside of the package, and says where it looked', () => {
    const folder = temporaryFolder();
    expect(() => packageRoot(folder)).toThrow(
      `MissingPackageRoot: no package.json named "cdk-agent-lanes" above ${folder}`,
    );
  });
});

test('files that the build adds are found in the package, and a missing one is named', () => {
  expect(packageFile('assets/worker/core.js')).toBe(join(ROOT, 'assets', 'worker', 'core.js'));
  expect(() => packageFile('assets/none.js')).toThrow(
    `MissingPackageFile: the package has no assets/none.js: expected ${join(ROOT, 'assets', 'none.js')}`,
  );
});

test('functions come out of the archive as they were bundled', () => {
  const { code, digest } = functionBundle('recorder');
  expect(Buffer.from(code)).toEqual(readFileSync(join(ROOT, 'assets', 'recorder', 'index.js')));
  expect(digest).toBe(sha256(code));
  expect(() => functionBundle('none')).toThrow(
    /MissingFunctionBundle: no function bundle "none": the package has .*recorder/,
  );
});
