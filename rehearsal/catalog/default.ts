import { join } from 'node:path';
import { repositoryRoot } from '../core/package-root';
import { loadScenario } from '../drill/scenario/load-scenario';
import type { NamedDrill } from './drill-app';

/** The scenario of `npm start`. */
export const defaultDrill: NamedDrill = {
  name: 'default',
  shows:
    'the support agent under load: a good release is promoted, a regressed one is rolled back, an improved one is promoted',
  scenario: () => loadScenario(join(repositoryRoot() ?? process.cwd(), 'rehearsal.json')),
};
