import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stack, Stage } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { stageFile } from '../../../lib/common';
import { testApp } from '../../support/stack';

describe('stageFile', () => {
  test('writes into the assembly of the app, also from within a stage', () => {
    const app = testApp();
    const stack = new Stack(new Stage(app, 'Prod'), 'Test');
    const directory = stageFile(stack, 'digest', 'a.txt', 'content');
    expect(directory).toBe(join(app.outdir, '.agent-lanes', 'digest'));
    expect(readFileSync(join(directory, 'a.txt'), 'utf8')).toBe('content');
  });

  test('writes one content once', () => {
    const stack = new Stack(testApp(), 'Test');
    const first = stageFile(stack, 'digest', 'a.txt', 'content');
    expect(stageFile(stack, 'digest', 'a.txt', 'content')).toBe(first);
    expect(existsSync(join(first, 'a.txt'))).toBe(true);
  });

  test('fails outside of an app', () => {
    expect(() => stageFile(new Construct(undefined as never, ''), 'digest', 'a.txt', '')).toThrow(
      /MissingCloudAssembly: generated files have no cloud assembly to go to/,
    );
  });
});
