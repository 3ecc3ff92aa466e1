import { join } from 'node:path';
import { loadScenario } from '../drill/scenario/load-scenario';
import type { NamedDrill } from './drill-app';
import { packageRoot } from './package-root';

/** The scenario of `npm start`. */
export const defaultDrill: NamedDrill = {
  name: 'default',
  shows: 'the support agent under load: a good release, one that regresses and is taken back, a better one',
  scenario: () => loadScenario(join(packageRoot(), 'rehearsal.json')),
};
