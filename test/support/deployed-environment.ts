import { named, type Resources } from './template';

/**
 * Environment of a function as it would have it when deployed: references become something of the form that they would
 * resolve to (URLs for queues, ARNs, names), with the logical id in it.
 */
export function deployedEnvironment(resources: Resources, name: string): Record<string, string> {
  const environment = resources[named(resources, name)]?.Properties?.Environment as
    | { Variables?: Record<string, unknown> }
    | undefined;
  return Object.fromEntries(
    Object.entries(environment?.Variables ?? {}).map(([key, value]) => [key, resolved(resources, value)]),
  );
}

function resolved(resources: Resources, value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  if ('Ref' in value && typeof value.Ref === 'string') {
    return resources[value.Ref]?.Type === 'AWS::SQS::Queue'
      ? `https://sqs.eu-west-1.amazonaws.com/123456789012/${value.Ref}`
      : value.Ref;
  }
  if ('Fn::GetAtt' in value && Array.isArray(value['Fn::GetAtt'])) {
    return value['Fn::GetAtt'].join('.');
  }
  if ('Fn::Join' in value) {
    const [separator, parts] = value['Fn::Join'] as [string, unknown[]];
    return parts.map((part) => resolved(resources, part)).join(separator);
  }
  if ('Fn::Sub' in value) {
    return String(value['Fn::Sub']);
  }
  throw new Error(`no idea what ${JSON.stringify(value)} is when deployed`);
}
