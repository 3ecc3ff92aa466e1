import { inRehearsal } from './rehearsed-stack';

const WARM_UP = 50;
const TASKS = 1_000;

export interface Throughput {
  readonly tasks: number;
  readonly seconds: number;
  readonly tasksPerSecond: number;
}

/** Tasks through the whole of the rehearsal, intake to result, as fast as they are taken: the drill agent, one release. */
export function rehearsalThroughput(): Promise<Throughput> {
  return inRehearsal('examples/drill-agent/app.ts', async ({ send, allFinal }) => {
    const input = { text: 'note it' };
    await send(WARM_UP, input);
    await allFinal(WARM_UP);
    const start = performance.now();
    await send(TASKS, input);
    await allFinal(WARM_UP + TASKS);
    const seconds = (performance.now() - start) / 1000;
    return { tasks: TASKS, seconds, tasksPerSecond: TASKS / seconds };
  });
}
