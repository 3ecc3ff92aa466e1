// The SDK's notice about future versions of Node.js would appear between the test results.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

/** Tests that judge latency and real time: they get the machine for themselves. */
const DRILLS = ['<rootDir>/test/drills/', '<rootDir>/test/bin/'];

/** The same, for a part: how much of a limit is used depends on who else wants the processor. */
const LIMITER_LOAD = '<rootDir>/test/lambda/runtime/rate-limiter/limiter-processes.test.ts';

/** Rollouts that are rehearsed whole and judge neither: two at once. */
const SIDE_BY_SIDE = '<rootDir>/test/drills/side-by-side/';

/**
 * Tests that take minutes: what other tests show in parts, shown together or against real time, and installations from the
 * package registries. `npm run test:all` runs them.
 */
const LONG = ['<rootDir>/test/drills/long/', '<rootDir>/test/packaging/long/'];

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
  testTimeout: 60_000,
  maxWorkers: 2,
  projects: [
    {
      ...common,
      displayName: 'parts',
      testMatch: ['**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...DRILLS, ...LONG, LIMITER_LOAD],
    },
    { ...common, displayName: 'side-by-side', testMatch: [`${SIDE_BY_SIDE}*.test.ts`] },
    {
      ...common,
      displayName: 'drills',
      testMatch: [...DRILLS.map((folder) => `${folder}**/*.test.ts`), LIMITER_LOAD],
      testPathIgnorePatterns: ['/node_modules/', SIDE_BY_SIDE, ...LONG],
    },
    { ...common, displayName: 'long', testMatch: LONG.map((folder) => `${folder}*.test.ts`) },
  ],
};
