import { createSocket } from 'node:dgram';
import { XRayDaemon } from '../../../rehearsal/services/xray/daemon';
import { Stage, until } from '../lambda/support';

const HEADER = '{"format": "json", "version": 1}\n';
const TRACE = '1-5e3d83c1-e6a0db584850d61342823d4c';

describe('the X-Ray daemon', () => {
  let daemon: XRayDaemon;

  beforeEach(async () => {
    daemon = await XRayDaemon.start();
  });
  afterEach(() => daemon.stop());

  /** Sends datagrams and waits until all have been taken. */
  async function send(...datagrams: readonly string[]): Promise<void> {
    const [host = '', port = ''] = daemon.address.split(':');
    const socket = createSocket('udp4');
    const before = taken();
    for (const datagram of datagrams) {
      await new Promise<void>((resolve) => socket.send(datagram, Number(port), host, () => resolve()));
    }
    socket.close();
    const deadline = Date.now() + 5_000;
    while (taken() < before + datagrams.length && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const taken = () =>
    daemon.traces().reduce((sum, { documents }) => sum + documents.length, 0) + daemon.malformed().count;

  const subsegment = (id: string, more: object = {}) =>
    HEADER +
    JSON.stringify({
      trace_id: TRACE,
      id,
      parent_id: '53995c3f42cd8ad8',
      type: 'subsegment',
      name: 'model',
      start_time: 1.5,
      end_time: 2.5,
      ...more,
    });

  test('keeps the documents of a trace together, in the order of their arrival', async () => {
    await send(
      subsegment('aaaaaaaaaaaaaaaa'),
      subsegment('bbbbbbbbbbbbbbbb', { trace_id: '1-5e3d83c2-e6a0db584850d61342823d4c' }),
      subsegment('cccccccccccccccc', { annotations: { task: 't-1' } }),
    );
    const [first, second] = daemon.traces();
    expect(first).toMatchObject({
      id: TRACE,
      documents: [{ id: 'aaaaaaaaaaaaaaaa' }, { id: 'cccccccccccccccc', annotations: { task: 't-1' } }],
    });
    expect(second?.documents).toHaveLength(1);
    expect(daemon.malformed()).toEqual({ count: 0, examples: [] });
  });

  test('refuses what X-Ray could not read, and says why', async () => {
    await send('no header', subsegment('short'), subsegment('aaaaaaaaaaaaaaaa', { trace_id: 'Root=1-2' }));
    expect(daemon.traces()).toEqual([]);
    const { count, examples } = daemon.malformed();
    expect(count).toBe(3);
    expect(examples[1]).toMatch(/^id: /);
    expect(examples[2]).toMatch(/^trace_id: /);
  });

  test('is where functions send their segments', async () => {
    const stage = await Stage.open({ xrayAddress: daemon.address });
    try {
      await stage.role();
      await stage.function(
        'f',
        `exports.handler = () => new Promise((resolve) => {
          const [host, port] = process.env.AWS_XRAY_DAEMON_ADDRESS.split(':');
          const trace_id = /Root=([^;]+)/.exec(process.env._X_AMZN_TRACE_ID)[1];
          const document = { trace_id, id: 'aaaaaaaaaaaaaaaa', name: 'f', start_time: 1, end_time: 2 };
          const text = '{"format":"json","version":1}\\n' + JSON.stringify(document);
          require('node:dgram').createSocket('udp4').send(text, Number(port), host, () => resolve(trace_id));
        });`,
      );
      const { payload } = await stage.invoke('f');
      await until(() => daemon.traces().length === 1, 'the segment');
      expect(daemon.traces()[0]?.id).toBe(JSON.parse(payload));
    } finally {
      await stage.close();
    }
  });

  test('listens on the loopback alone, and stops twice without complaint', async () => {
    expect(daemon.address).toMatch(/^127\.0\.0\.1:\d+$/);
    await daemon.stop();
    await daemon.stop();
  });
});
