import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';

/** What differs from one state of the sources to the next without a decision of anybody: digests, and the last commit. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, '<digest>'],
  [/\br-[0-9a-f]{12}\b/g, '<release>'],
  [/\bf-[0-9a-f]{12}\b/g, '<worker>'],
  [/(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g, '$1<version>'],
];

const GIT_PROPERTIES: readonly string[] = ['GitRevision', 'GitAuthor', 'GitTime'];

/** The template as text, without what changes by itself. */
export function maskedTemplate(stack: Stack): string {
  const template: unknown = Template.fromStack(stack).toJSON();
  const text = JSON.stringify(template, (key, value: unknown) => (GIT_PROPERTIES.includes(key) ? undefined : value), 2);
  return `${MASKS.reduce((masked, [pattern, mask]) => masked.replaceAll(pattern, mask), text)}\n`;
}
