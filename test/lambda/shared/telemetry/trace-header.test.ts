import { newTraceHeader, traceHeaderOf, traceRootOf } from '../../../../lambda/shared/telemetry/trace-header';
import { START } from '../support/fakes';

const root = '1-5759e988-bd862e3fe1be46a994272793';

test.each([`Root=${root}`, `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`, `Self=1-2-3;Root=${root};Sampled=0`])(
  'the root of %s is found',
  (header) => {
    expect(traceHeaderOf(header)).toBe(header);
    expect(traceRootOf(header)).toBe(root);
  },
);

test.each([undefined, '', 'nonsense', 'Root=1-xyz', `Root=${root}\n`, `Root=${root};${'x'.repeat(600)}`])(
  'refuses %p as a trace header',
  (header) => {
    expect(traceHeaderOf(header)).toBeUndefined();
  },
);

test('a new trace is sampled, starts at the given time, and is no other', () => {
  const header = newTraceHeader(START);
  expect(traceHeaderOf(header)).toBe(header);
  expect(header).toMatch(/;Sampled=1$/);
  expect(Number.parseInt(header.slice('Root=1-'.length, 'Root=1-'.length + 8), 16)).toBe(START / 1000);
  expect(newTraceHeader(START)).not.toBe(header);
});
