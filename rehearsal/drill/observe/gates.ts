import { z } from 'zod';
import type { AlarmView } from '../../core/ports';
import type { GateReading } from '../report/history';

/** A deployed resource of the stack. */
export interface NamedResource {
  readonly type: string;
  readonly path: string;
  readonly physicalId: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** A gate: an alarm of the stack that evaluates releases. */
export interface Gate {
  /** Name in the app: the last part of the construct's path. */
  readonly name: string;
  readonly alarm: string;
}

const deploymentGroupSchema = z.looseObject({
  AlarmConfiguration: z.looseObject({ Alarms: z.array(z.looseObject({ Name: z.string() })).optional() }).optional(),
});

/** Alarms that roll back the CodeDeploy deployment, and alarms of gates that only warn. */
export function gatesOf(resources: readonly NamedResource[]): readonly Gate[] {
  const critical = new Set(
    resources
      .filter((resource) => resource.type === 'AWS::CodeDeploy::DeploymentGroup')
      .flatMap(({ properties }) => deploymentGroupSchema.parse(properties).AlarmConfiguration?.Alarms ?? [])
      .map((alarm) => alarm.Name),
  );
  return resources
    .filter(
      ({ type, path, physicalId }) =>
        type === 'AWS::CloudWatch::Alarm' && (critical.has(physicalId) || path.includes('/Gates/')),
    )
    .map(({ path, physicalId }) => ({ name: nameOf(path), alarm: physicalId }));
}

/** Current reading of each gate. */
export function readGates(gates: readonly Gate[], alarms: readonly AlarmView[]): readonly GateReading[] {
  return gates.flatMap(({ name, alarm }) => {
    const view = alarms.find((candidate) => candidate.name === alarm);
    return view === undefined ? [] : [{ name, state: view.state, value: view.value, threshold: view.threshold }];
  });
}

/** `errors in ALARM at 0.41, threshold 0.05` */
export function describeGate(gate: GateReading): string {
  const value = gate.value === undefined ? '' : ` at ${round(gate.value)}`;
  const threshold = gate.threshold === undefined ? '' : `, threshold ${round(gate.threshold)}`;
  return `gate ${gate.name} in ${gate.state}${value}${threshold}`;
}

function nameOf(path: string): string {
  const parts = path.split('/').filter((part) => part !== 'Resource');
  return parts.at(-1) ?? path;
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}
