// The SDK's notice about future versions of Node.js would appear between the test results.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

/** Whole drills, and tests of the command line that start one. */
const DRILLS = ['<rootDir>/test/drills/', '<rootDir>/test/bin/'];

/** How much of a limit is used depends on what else wants the processor: it gets the machine for itself. */
const LIMITER_LOAD = '<rootDir>/test/lambda/runtime/rate-limiter/limiter-processes.test.ts';

/** Drills that judge neither latency nor real time: two at once. */
const SIDE_BY_SIDE = '<rootDir>/test/drills/side-by-side/';

/** What a newcomer sees first: the only drills that `npm test` runs. */
const FIRST_DRILLS = '<rootDir>/test/drills/first/';

/** Drills that take minutes, and installations from the package registries. */
const LONG = ['<rootDir>/test/drills/long/', '<rootDir>/test/packaging/long/'];

/** Packs both packages and uses them outside of the repository. */
const PACKAGING = '<rootDir>/test/packaging/';

/** Tests of parts that take longest, and whose subject quicker tests touch as well: `npm run test:all`. */
const SLOW = [
  'golden/security',
  'lambda/functions/container/agent-protocol',
  'lambda/functions/container/in-process',
  'lambda/functions/container/python-agent',
  'lambda/functions/redrive/redrive',
  'lambda/functions/rotation/interruption',
  'lambda/functions/router/agreement',
  'lambda/shared/lost-answers',
  'lambda/shared/tasks/task-leases',
  'lambda/worker/interruptions',
  'lambda/worker/lease/heartbeat',
  'lambda/worker/returns',
  'lib/agent-service/fargate-changes',
  'lib/environments/fargate',
  'lib/worker/fargate/lane-scaling',
].map((name) => `<rootDir>/test/${name}.test.ts`);

const common = {
  testEnvironment: '<rootDir>/test/environment/environment.ts',
  roots: ['<rootDir>/test'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: {
    '^fast-check$': '<rootDir>/test/environment/seeded-fast-check.ts',
    '^@aws/cloudformation-validate$': '<rootDir>/test/environment/template-validator-of-process.ts',
    '^cdk-agent-lanes$': '<rootDir>/lib/index.ts',
    '^cdk-agent-lanes/runtime$': '<rootDir>/lambda/runtime/index.ts',
    '^cdk-agent-lanes/worker$': '<rootDir>/lambda/worker/index.ts',
    '^cdk-agent-lanes/container$': '<rootDir>/lambda/functions/container/index.ts',
  },
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
};

/** @type {import('jest').Config} */
module.exports = {
  globalSetup: '<rootDir>/test/global-setup.ts',
  testSequencer: '<rootDir>/test/drills/in-order.js',
  // A guard against a test that hangs, not a measure of speed: a machine with other work takes several times as long.
  testTimeout: 240_000,
  maxWorkers: 2,
  projects: [
    {
      ...common,
      displayName: 'parts',
      testMatch: ['**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...DRILLS, LIMITER_LOAD, PACKAGING, ...SLOW],
    },
    { ...common, displayName: 'packaging', testMatch: [`${PACKAGING}*.test.ts`] },
    { ...common, displayName: 'first-drills', testMatch: [`${FIRST_DRILLS}*.test.ts`] },
    { ...common, displayName: 'slow', testMatch: SLOW },
    { ...common, displayName: 'side-by-side', testMatch: [`${SIDE_BY_SIDE}*.test.ts`] },
    {
      ...common,
      displayName: 'drills',
      testMatch: [...DRILLS.map((folder) => `${folder}**/*.test.ts`), LIMITER_LOAD],
      testPathIgnorePatterns: ['/node_modules/', FIRST_DRILLS, SIDE_BY_SIDE, ...LONG],
    },
    { ...common, displayName: 'long', testMatch: LONG.map((folder) => `${folder}*.test.ts`) },
  ],
};
