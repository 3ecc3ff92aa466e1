import { randomBytes } from 'node:crypto';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';

const PREFIX = `arn:aws:ecs:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}`;

export function clusterArn(cluster: string): string {
  return `${PREFIX}:cluster/${cluster}`;
}

export function serviceArn(cluster: string, service: string): string {
  return `${PREFIX}:service/${cluster}/${service}`;
}

export function taskArn(cluster: string, task: string): string {
  return `${PREFIX}:task/${cluster}/${task}`;
}

export function taskDefinitionArn(family: string, revision: number): string {
  return `${PREFIX}:task-definition/${family}:${revision}`;
}

export function containerArn(cluster: string, task: string, container: string): string {
  return `${PREFIX}:container/${cluster}/${task}/${container}`;
}

/** What a name or an ARN names: `arn:…:cluster/agents` and `agents` are the same cluster. */
export function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}

/** Ids of tasks are 32 hexadecimal digits. */
export function newTaskId(): string {
  return randomBytes(16).toString('hex');
}
