import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, CfnResource, Stack, Stage } from 'aws-cdk-lib';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { AssemblyError, chooseStack, readAssembly } from '../../../rehearsal/assembly';

const folder = mkdtempSync(join(tmpdir(), 'rehearsal-assembly-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function source(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, name);
  return path;
}

function synthesize(outdir: string): string {
  const app = new App({ outdir: join(folder, outdir) });
  const directory = join(folder, 'code');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'index.js'), '');
  writeFileSync(join(directory, 'agent.Dockerfile'), 'FROM scratch AS run');
  const plain = new Stack(app, 'Plain');
  new Asset(plain, 'Folder', { path: directory });
  new Asset(plain, 'File', { path: source('data.json') });
  new DockerImageAsset(plain, 'Image', { directory, file: 'agent.Dockerfile', target: 'run' });
  const staged = new Stack(new Stage(app, 'Prod'), 'Staged', { stackName: 'staged-stack' });
  for (const stack of [plain, staged]) {
    new CfnResource(stack, 'Topic', { type: 'AWS::SNS::Topic' });
  }
  new Asset(staged, 'File', { path: source('other.txt') });
  return app.synth().directory;
}

describe('an assembly as the CDK writes it', () => {
  const assembly = readAssembly(synthesize('out'));

  test('gives its stacks, those of stages included', () => {
    expect(assembly.stacks.map(({ name }) => name).sort()).toEqual(['Plain', 'staged-stack']);
    expect(() => chooseStack(assembly)).toThrow('name the one to deploy');
    expect(() => chooseStack(assembly, 'Gone')).toThrow('holds no stack Gone; existing stacks: ');
    expect(chooseStack(assembly, 'staged-stack').directory).not.toBe(assembly.directory);
  });

  test('gives assets with the places they would be uploaded to', () => {
    const assets = chooseStack(assembly, 'Plain').assets.filter(({ path }) => !path.endsWith('.template.json'));
    expect(assets.map(({ packaging }) => packaging).sort()).toEqual(['file', 'zip']);
    for (const { id, destinations } of assets) {
      expect(destinations).toEqual([
        { bucket: 'cdk-hnb659fds-assets-123456789012-us-east-1', key: expect.stringContaining(id) },
      ]);
    }
  });
});

test('an assembly gives images with their folders and the places they would be pushed to', () => {
  const { images } = chooseStack(readAssembly(synthesize('out-images')), 'Plain');
  expect(images).toEqual([
    {
      id: expect.any(String),
      directory: expect.stringMatching(/asset\.[0-9a-f]+$/),
      dockerfile: 'agent.Dockerfile',
      target: 'run',
      destinations: [{ repository: 'cdk-hnb659fds-container-assets-123456789012-us-east-1', tag: images[0]?.id }],
    },
  ]);
});

describe('paths of constructs', () => {
  const metadata = { '/Stack/Thing/Resource': [{ type: 'aws:cdk:logicalId', data: 'Thing123' }] };
  test.each([
    ['in a file of their own', { additionalMetadataFile: 'meta.json' }],
    ['in the manifest', { metadata }],
  ])('are read %s', (name, where) => {
    const directory = write(name, {
      artifacts: { S: { type: 'aws:cloudformation:stack', properties: { templateFile: 't.json' }, ...where } },
    });
    writeFileSync(join(directory, 'meta.json'), JSON.stringify(metadata));
    const { pathOf } = chooseStack(readAssembly(directory));
    expect(pathOf('Thing123')).toBe('Stack/Thing/Resource');
    expect(pathOf('Other')).toBeUndefined();
  });
});

describe('an assembly that is not right is refused with the file and the place', () => {
  const assetStack = {
    artifacts: {
      S: { type: 'aws:cloudformation:stack', properties: { templateFile: 't.json' }, dependencies: ['A'] },
      A: { type: 'cdk:asset-manifest', properties: { file: 'assets.json' } },
    },
  };
  const assets = (value: unknown) => ({ 'assets.json': JSON.stringify(value) });
  test.each<[string, unknown, Record<string, string>, string]>([
    ['no template', { artifacts: { S: { type: 'aws:cloudformation:stack' } } }, {}, 'names no templateFile'],
    ['artifacts that are none', { artifacts: { S: {} } }, {}, 'artifacts.S.type'],
    ['a missing asset manifest', assetStack, {}, 'cannot read'],
    [
      'an image made by a command',
      assetStack,
      assets({ dockerImages: { x: { source: { executable: ['make', 'image'] }, destinations: {} } } }),
      'asset x is made by a command (make image)',
    ],
    [
      'an image whose folder is gone',
      assetStack,
      assets({ dockerImages: { x: { source: { directory: 'gone' }, destinations: {} } } }),
      'run cdk synth again',
    ],
    [
      'an asset made by a command',
      assetStack,
      assets({ files: { a: { source: { executable: ['make'] }, destinations: {} } } }),
      'asset a is made by a command (make)',
    ],
    [
      'an asset that is gone',
      assetStack,
      assets({ files: { a: { source: { path: 'gone', packaging: 'zip' }, destinations: {} } } }),
      'run cdk synth again',
    ],
  ])('%s', (name, manifest, files, message) => {
    const directory = write(name, manifest);
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(join(directory, file), text);
    }
    expect(() => readAssembly(directory)).toThrow(AssemblyError);
    expect(() => readAssembly(directory)).toThrow(message);
  });

  test('a folder that is no assembly', () => {
    expect(() => readAssembly(join(folder, 'nowhere'))).toThrow('manifest.json');
  });
});

function write(name: string, manifest: unknown): string {
  const directory = join(folder, name.replaceAll(' ', '-'));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(directory, 't.json'), '{"Resources":{}}');
  return directory;
}
