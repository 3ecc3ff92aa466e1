import { DockerfileError, readDockerfile } from '../../../rehearsal/services/ecs/dockerfile';

const EXEC = `# syntax=docker/dockerfile:1
ARG BASE=node:24
FROM \${BASE} AS build
RUN echo "[not a command]"
CMD ["ignored"]

FROM public.ecr.aws/docker/library/node:24-slim
ENV NODE_ENV=production GREETING="hello there"
ENV OLD form of it
ENTRYPOINT ["node", \\
  "--enable-source-maps"]
cmd ["index.js"]
`;

test('reads what the last stage runs and sets', () => {
  expect(readDockerfile(EXEC)).toEqual({
    entryPoint: ['node', '--enable-source-maps'],
    command: ['index.js'],
    environment: { NODE_ENV: 'production', GREETING: 'hello there', OLD: 'form of it' },
  });
});

test('reads a stage by name, and what a stage inherits from another', () => {
  expect(readDockerfile(EXEC, 'build').command).toEqual(['ignored']);
  const inherited = 'FROM a AS base\nENV A=1\nCMD ["x"]\nFROM base\nENV B=2';
  expect(readDockerfile(inherited)).toEqual({
    entryPoint: undefined,
    command: ['x'],
    environment: { A: '1', B: '2' },
  });
  expect(readDockerfile(`${inherited}\nENTRYPOINT ["y"]`)).toMatchObject({ entryPoint: ['y'], command: undefined });
});

test.each([
  ['FROM a\nCMD node index.js', 'has a CMD that is not in exec form: node index.js'],
  ['FROM a\nENTRYPOINT ["node", 1]', 'has a ENTRYPOINT that is not in exec form'],
  ['FROM a\nENV PATH=/x:$PATH', 'sets PATH to a value with variables: /x:$PATH'],
  ['# nothing', 'has no FROM'],
])('refuses %j', (text, message) => {
  expect(() => readDockerfile(text)).toThrow(DockerfileError);
  expect(() => readDockerfile(text)).toThrow(message);
});

test('refuses a stage that is not there', () => {
  expect(() => readDockerfile('FROM a', 'other')).toThrow('has no stage other');
});
