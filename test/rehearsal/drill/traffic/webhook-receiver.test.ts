import { createHmac } from 'node:crypto';
import { WebhookReceiver } from '../../../../rehearsal/drill/traffic/webhook-receiver';

describe('WebhookReceiver', () => {
  let receiver: WebhookReceiver;
  afterEach(() => receiver.stop());

  const post = (key: string | Buffer, body = JSON.stringify({ type: 'task.failed', data: { id: 't-1' } })) => {
    const signature = createHmac('sha256', key).update(`t-1.99.${body}`).digest('base64');
    return fetch(receiver.url, {
      method: 'POST',
      body,
      headers: { 'webhook-id': 't-1', 'webhook-timestamp': '99', 'webhook-signature': `v1,AAAA v1,${signature}` },
    });
  };

  test('verifies signatures with a plain key and with a base64 key', async () => {
    receiver = await WebhookReceiver.start(1, false);
    receiver.verifyWith('a plain key');
    expect((await post('a plain key')).status).toBe(204);
    await post('another key');
    receiver.verifyWith(`whsec_${Buffer.from('bytes').toString('base64')}`);
    await post('bytes');
    expect(receiver.deliveries).toEqual(
      [true, false, true].map((signed) => ({ taskId: 't-1', type: 'task.failed', signed })),
    );
  });

  test('rejects some deliveries in a drill with chaos, and does not record them', async () => {
    receiver = await WebhookReceiver.start(1, true);
    const statuses = [];
    for (let n = 0; n < 60; n++) statuses.push((await post('k')).status);
    expect(new Set(statuses)).toEqual(new Set([204, 503]));
    expect(receiver.deliveries).toHaveLength(statuses.filter((status) => status === 204).length);
  });
});
