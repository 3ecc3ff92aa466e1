import { readFileSync } from 'node:fs';

export interface Usage {
  /** Processor time since its start. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** Of Linux on the machines that Node.js runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** What a process itself has used, its children not counted; undefined where the system does not tell. */
export function usageOf(processId: number | undefined): Usage | undefined {
  try {
    // After the name of the program, which may hold anything but ends with the last parenthesis.
    const text = readFileSync(`/proc/${processId}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [user, system, pages] = [11, 12, 21].map((index) => Number(fields[index]));
    if (user === undefined || system === undefined || pages === undefined) {
      return undefined;
    }
    return { cpuSeconds: (user + system) / TICKS_PER_SECOND, memoryBytes: pages * PAGE_BYTES };
  } catch {
    return undefined;
  }
}
