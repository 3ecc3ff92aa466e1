import { join } from 'node:path';
import { repositoryRoot } from '../core/package-root';
import { loadScenario } from '../drill/scenario/load-scenario';
import type { Scenario, ScenarioRelease } from '../drill/scenario/scenario';
import { drillScenario, FAST, type NamedDrill, variant } from './drill-app';

/** The scenario of `npm start`. */
export const defaultDrill: NamedDrill = {
  name: 'default',
  shows:
    'the support agent under load: a good release is promoted, a regressed one is rolled back, an improved one is promoted',
  scenario: () => loadScenario(join(repositoryRoot() ?? process.cwd(), 'rehearsal.json')),
};

export const preflightRefuses: NamedDrill = {
  name: 'preflight-refuses',
  shows: 'the preflight refuses a release that cannot answer, or lacks a setting: no user reaches it',
  scenario: async () =>
    drillScenario(
      'preflight-refuses',
      [
        variant('good', { expected: 'promoted', traffic: { minShare: 0.5 } }),
        variant('mute', { expected: 'refused', cause: { reason: 'preflight failed' }, traffic: { minShare: 0.25 } }),
        {
          name: 'unset',
          context: { variant: 'good', maxLines: 'many' },
          expected: 'refused',
          cause: { reason: 'MAX_LINES is malformed' },
          traffic: { minShare: 0.25 },
        },
      ],
      [{ name: 'mute', refusalRate: 1 }],
      { brokenProbe: true },
    ),
};

export const quietRelease: NamedDrill = {
  name: 'quiet-release',
  shows: 'a release without traffic is not promoted: not enough evidence',
  scenario: async () =>
    fast('quiet-release', [
      variant('good', { expected: 'promoted', traffic: { minShare: 1 } }),
      variant('unseen', {
        expected: 'rolled_back',
        cause: { reason: 'not enough evidence' },
        traffic: { paused: true },
      }),
    ]),
};

export const updateFailsAfterShift: NamedDrill = {
  name: 'update-fails-after-shift',
  shows: 'a stack update that fails after the traffic shift is rolled back completely',
  scenario: async () =>
    fast('update-fails-after-shift', [
      variant('good', { expected: 'promoted', traffic: { minShare: 0.3 } }),
      variant('unlucky', {
        expected: 'rolled_back',
        cause: { reason: 'the table is throttled' },
        traffic: { minShare: 0.7 },
        faults: [{ resource: '*/PromotedRecord/*', operation: 'update', reason: 'the table is throttled' }],
      }),
    ]),
};

export const twoInARow: NamedDrill = {
  name: 'two-in-a-row',
  shows: 'two good releases in a row are both promoted',
  scenario: async () =>
    fast('two-in-a-row', [
      variant('good', { expected: 'promoted', traffic: { minShare: 0.2 } }),
      variant('better', { expected: 'promoted', traffic: { minShare: 0.4 } }),
      variant('best', { expected: 'promoted', traffic: { minShare: 0.4 } }),
    ]),
};

export const noChange: NamedDrill = {
  name: 'no-change',
  shows: 'a second deployment of the same release changes nothing and shifts no traffic',
  scenario: async () =>
    fast('no-change', [
      variant('good', { expected: 'promoted', traffic: { minShare: 0.5 } }),
      {
        ...variant('good', { expected: 'promoted', expectNoChanges: true, traffic: { minShare: 0.5 } }),
        name: 'good-again',
      },
    ]),
};

function fast(name: string, releases: readonly ScenarioRelease[]): Scenario {
  return drillScenario(name, releases, [], { speed: FAST });
}
