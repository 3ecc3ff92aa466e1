/** Starts two containers, one of which stands still, says their process ids, and waits to be killed. */
import { ContainerProcess } from '../../../rehearsal/services/ecs/container-process';

const pids: number[] = [];
for (const still of [false, true]) {
  const container = new ContainerProcess({
    launch: {
      argv: [
        process.execPath,
        '-e',
        'const c = require("child_process").spawn("sleep", ["600"]); process.on("SIGTERM", () => {}); console.log(c.pid); setInterval(() => {}, 1000);',
      ],
      cwd: process.cwd(),
    },
    environment: { PATH: process.env.PATH ?? '' },
    onLine: (line) => {
      pids.push(container.processId ?? 0, Number(line));
      if (still) {
        container.suspend();
      }
      if (pids.length === 4) {
        console.log(JSON.stringify(pids));
      }
    },
    onExit: () => undefined,
  });
}
setInterval(() => undefined, 1000);
