import { join, resolve } from 'node:path';
import { bundleDirectory, packageRoot } from '../../../lib/common';
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

test('bundles lie below assets/', () => {
  expect(bundleDirectory('recorder')).toBe(join(ROOT, 'assets', 'recorder'));
});
