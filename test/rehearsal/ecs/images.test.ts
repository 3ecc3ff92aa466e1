import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageError, Images } from '../../../rehearsal/services/ecs/images';

const NONE = { entryPoint: undefined, command: undefined };
const ASSET = '123456789012.dkr.ecr.us-east-1.amazonaws.com/assets:abc';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-lanes-images-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function withAsset(dockerfile: string, images = new Images([])): Images {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  const destinations = [{ repository: 'assets', tag: 'abc' }];
  images.register({ id: 'abc', directory: folder, dockerfile: 'Dockerfile', target: undefined, destinations });
  return images;
}

test('runs an image asset by its Dockerfile, in its folder, with the Node of this process', () => {
  const images = withAsset('FROM a\nENV A=1\nCMD ["node", "index.js"]');
  expect(images.launchOf(ASSET, NONE)).toEqual({
    argv: [process.execPath, 'index.js'],
    cwd: folder,
    environment: { A: '1' },
  });
});

test('lets a definition put its own command and entry point in place of those of the image', () => {
  const images = withAsset('FROM a\nENTRYPOINT ["python3"]\nCMD ["main.py"]');
  const argv = (entryPoint?: readonly string[], command?: readonly string[]) =>
    images.launchOf(ASSET, { entryPoint, command }).argv;
  expect(argv()).toEqual(['python3', 'main.py']);
  expect(argv(undefined, ['other.py'])).toEqual(['python3', 'other.py']);
  expect(argv(['sh'], undefined)).toEqual(['sh']);
});

test('runs what was given for an image, before anything else', () => {
  const images = withAsset(
    'FROM a\nCMD shell form',
    new Images([
      { image: 'public.ecr.aws/acme/*@sha256:*', command: ['python3', 'agent.py'], cwd: '/agents' },
      { image: '*/assets:abc', command: ['node', 'x.js'] },
    ]),
  );
  expect(images.launchOf('public.ecr.aws/acme/agent@sha256:0', NONE)).toEqual({
    argv: ['python3', 'agent.py'],
    cwd: '/agents',
    environment: {},
  });
  expect(images.launchOf(ASSET, NONE)).toMatchObject({ argv: [process.execPath, 'x.js'], cwd: folder });
});

test.each([
  ['an image that is not known', 'public.ecr.aws/acme/agent:1', NONE, 'under "containers" in the scenario'],
  ['an asset without exec form', ASSET, NONE, 'has a CMD that is not in exec form'],
  [
    'a command beside the one that was given',
    'given',
    { entryPoint: undefined, command: ['x'] },
    'the scenario has a command for the whole image',
  ],
])('refuses %s', (_what, image, override, message) => {
  const images = withAsset('FROM a\nCMD shell form', new Images([{ image: 'given', command: ['x'] }]));
  expect(() => images.launchOf(image, override)).toThrow(ImageError);
  expect(() => images.launchOf(image, override)).toThrow(message);
});

test('refuses an asset that says nothing', () => {
  expect(() => withAsset('FROM a').launchOf(ASSET, NONE)).toThrow('has neither ENTRYPOINT nor CMD');
});
