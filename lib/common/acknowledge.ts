import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Records for cdk-nag why a permission ends in a wildcard.
 *
 * @param grantee role that has the permission
 * @param resource ARN or pattern as granted, including tokens
 * @param reason why the grant cannot be narrower
 */
export function acknowledgeWildcard(grantee: IConstruct, resource: string, reason: string): void {
  const flat = flatten(Stack.of(grantee).resolve(resource));
  Validations.of(grantee).acknowledge({ id: `AwsSolutions-IAM5[Resource::${flat}]`, reason });
}

/** References in the format of cdk-nag's finding ids: `<LogicalId.Arn>`. */
function flatten(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  const [[key, member] = ['', undefined]] = Object.entries(value);
  if (key === 'Fn::Join' && Array.isArray(member) && Array.isArray(member[1])) {
    return member[1].map(flatten).join(String(member[0]));
  }
  if (key === 'Fn::GetAtt' && Array.isArray(member)) {
    return `<${member.map(flatten).join('.')}>`;
  }
  if (key === 'Fn::Sub') {
    return String(member).replaceAll('${', '<').replaceAll('}', '>');
  }
  if (key === 'Ref') {
    return `<${String(member)}>`;
  }
  return JSON.stringify(value);
}
