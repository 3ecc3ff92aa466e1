import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';

export function queueArn(name: string): string {
  return `arn:aws:sqs:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:${name}`;
}

/** Name of the queue that an ARN names; undefined when it is not the ARN of a queue here. */
export function queueNameOfArn(arn: string): string | undefined {
  const prefix = queueArn('');
  return arn.startsWith(prefix) && arn.length > prefix.length ? arn.slice(prefix.length) : undefined;
}

/** Name of the queue that a URL (`http://host/account/name`) names; undefined when it is not the URL of a queue. */
export function queueNameOfUrl(url: string): string | undefined {
  const match = /^https?:\/\/[^/]+\/(\d{12})\/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)\/?$/.exec(url);
  return match?.[1] === REHEARSAL_ACCOUNT ? match[2] : undefined;
}
